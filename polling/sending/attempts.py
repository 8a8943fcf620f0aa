"""The line of one delivery that is claimed: it is prepared, sent and settled, and whoever waits for it is told.

What is to be made once is written down before it is sent: an attempt that was lost then has an unknown outcome.
"""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from polling.base.crash_points import Point, reach
from polling.channels.channel import UNPREPARED, Call, Channel
from polling.channels.registry import CHANNELS
from polling.http.client import GuardedClient
from polling.jobs import metrics, registry
from polling.outbox.deliveries import Delivery, Outcome, Writer, at_once
from polling.sending import undelivered

logger = structlog.get_logger(__name__)

CRASHED = "TeckoChecker failed while it made this call; its log has the details."


def attempt(
    delivery: Delivery,
    client: GuardedClient,
    *,
    database: AbstractContextManager[object] | None = None,
    write: Writer = at_once,
    now: datetime | None = None,
) -> None:
    """``database`` is entered for each use of the database and left while the receiver is waited for.

    ``write`` writes down what came of the call. ``now`` is for the tests: it stands for the clock.
    """
    channel = CHANNELS[delivery.channel]
    reach(Point.DELIVERY_CLAIMED)
    with database or nullcontext():
        call = _prepare(channel, delivery, now or timezone.now())
    if call is None:
        return
    if isinstance(call, Outcome):
        outcome = call
    else:
        reach(Point.DELIVERY_PREPARED)
        outcome = channel.send(call, client)
        reach(Point.DELIVERY_ANSWERED)
    settled = write(lambda: settle(delivery, outcome, now=now or timezone.now()))
    reach(Point.DELIVERY_SETTLED)
    _report(delivery, outcome, settled=settled)


def _prepare(channel: Channel, delivery: Delivery, now: datetime) -> Call | Outcome | None:
    """An outcome where no call is made, None where another attempt was faster."""
    if channel.made_once and delivery.attempt_started_at is not None:
        return _lost(channel, delivery.attempt_started_at)
    try:
        call = channel.prepare(delivery, now)
    except UNPREPARED as error:
        return Outcome(started_at=now, duration_ms=0, error=str(error), retry=True)
    return call if channel.repeatable or delivery.begin(now) else None


def settle(delivery: Delivery, outcome: Outcome, *, now: datetime) -> bool:
    """``Delivery.settle``, and who is to hear of it hears. False: another attempt has taken this one's place."""
    with transaction.atomic():
        settled = delivery.settle(outcome, now=now)
        if settled and not _tell_job(delivery, outcome, now) and delivery.lost:
            undelivered.tell(delivery, now=now)
    return settled


def give_back(delivery: Delivery, *, now: datetime) -> None:
    """A fault of our own has ended the attempt. It counts like any other, so that it is not repeated for ever."""
    channel = CHANNELS.get(delivery.channel)
    if delivery.claim_token is None:  # it is settled
        return
    if channel and channel.made_once and delivery.attempt_started_at is not None:
        outcome = _lost(channel, delivery.attempt_started_at)
    else:
        outcome = Outcome(started_at=now, duration_ms=0, error=CRASHED, retry=True)
    settle(delivery, outcome, now=now)


def _lost(channel: Channel, started_at: datetime) -> Outcome:
    return Outcome(started_at=started_at, duration_ms=0, error=channel.made_once, unknown=True)


def _tell_job(delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
    """Whether the job told somebody in turn. It is not asked where it was deleted, or restarted since."""
    channel, kind = CHANNELS.get(delivery.channel), registry.find(delivery.job_kind)
    if channel is None or not channel.job_waits or kind is None:
        return False
    job = kind.objects.select_for_update().filter(pk=delivery.job_id, cycle=delivery.cycle).first()
    if job is None:
        return False
    drafts = job.call_settled(delivery, outcome, now=now)
    for draft in drafts:
        Delivery.objects.open(draft, job=job, now=now)
    return bool(drafts)


def _report(delivery: Delivery, outcome: Outcome, *, settled: bool) -> None:
    metrics.webhook_calls.labels(status_code=str(outcome.status_code or "none")).inc()
    metrics.webhook_duration.observe(outcome.duration_ms / 1000)
    if settled and delivery.next_attempt_at is None:
        metrics.deliveries_ended.labels(status=delivery.status).inc()
    log = logger.bind(delivery_id=str(delivery.pk), job_id=delivery.job_id, attempt=delivery.attempts)
    level = log.info if outcome.delivered else log.warning
    level("delivery_attempted", status_code=outcome.status_code, status=delivery.status, reason=outcome.error)
