"""Starts a Keboola job at most once, and tells the job that owed it what came of it.

The attempt is written down before the call and its outcome after it. Only what surely started nothing is tried again; a
call whose outcome was not seen is shown as unknown, and repeated only by somebody who has looked.
"""

import json
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from polling.base.crash_points import Point, reach
from polling.http.client import Answer, ExchangeFailed, GuardedClient, RequestRefused
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import ScheduledJob
from polling.outbox import retries
from polling.outbox.deliveries import Delivery, Outcome, Writer, at_once
from polling.sending import undelivered
from secrets_app import references
from secrets_app.references import Resolved

logger = structlog.get_logger(__name__)

GATEWAY_TIMEOUT = 504  # a gateway gave up waiting: what stands behind it may have started
LOOK = "Look into Keboola before it is sent again."
LOST = f"The process that called Keboola was lost, so it is not known whether the job has started. {LOOK}"


def attempt(
    delivery: Delivery,
    client: GuardedClient,
    *,
    database: AbstractContextManager[object] | None = None,
    write: Writer = at_once,
    now: datetime | None = None,
) -> None:
    """``database`` and ``write`` as in ``webhooks.attempt``; ``now`` is for the tests: it stands for the clock."""
    database = database or nullcontext()
    started = now or timezone.now()
    reach(Point.DELIVERY_CLAIMED)
    with database:
        begun = _begin(delivery, started)
    if begun is None:
        return
    reach(Point.DELIVERY_PREPARED)
    outcome = begun if isinstance(begun, Outcome) else _made(delivery, begun, client, started)
    reach(Point.DELIVERY_ANSWERED)
    write(lambda: _settle(delivery, outcome, now=now or timezone.now()))
    reach(Point.DELIVERY_SETTLED)
    logger.info("keboola_called", delivery_id=str(delivery.pk), job_id=delivery.job_id, status=delivery.status)


def _begin(delivery: Delivery, started: datetime) -> Resolved | Outcome | None:
    """The headers with the token in them, an outcome where no call is made, None where another attempt was faster."""
    if delivery.attempt_started_at is not None:
        return Outcome(started_at=delivery.attempt_started_at, duration_ms=0, error=LOST, unknown=True)
    try:
        headers = references.resolve(
            delivery.headers, job_kind=delivery.job_kind, job_id=delivery.job_id, check_id=delivery.pk
        )
    except references.SecretMissing as error:
        return Outcome(started_at=started, duration_ms=0, error=str(error), retry=True)
    return headers if delivery.begin(started) else None


def _made(delivery: Delivery, resolved: Resolved, client: GuardedClient, started: datetime) -> Outcome:
    body = json.loads(delivery.body)
    body.pop("delivery_id", None)  # ours: Keboola refuses a field that it does not know
    headers = {**resolved.values, "Content-Type": "application/json"}
    began = time.monotonic()
    try:
        answer = client.send(delivery.method, delivery.url, headers=headers, body=json.dumps(body).encode())
    except RequestRefused as error:
        return Outcome(started_at=started, duration_ms=0, error=str(error), retry=not error.permanent)
    except ExchangeFailed as error:
        message = f"{error} The request was sent, and no answer came. {LOOK}" if error.sent else str(error)
        spent = round((time.monotonic() - began) * 1000)
        return Outcome(started_at=started, duration_ms=spent, error=message, retry=not error.sent, unknown=error.sent)
    return _judged(answer, resolved, started)


def _judged(answer: Answer, resolved: Resolved, started: datetime) -> Outcome:
    unknown = answer.status == GATEWAY_TIMEOUT
    problem = f"Keboola answered {answer.status}.{f' {LOOK}' if unknown else ''}"
    return Outcome(
        started_at=started,
        duration_ms=answer.elapsed_ms,
        status_code=answer.status,
        error="" if 200 <= answer.status < 300 else problem,
        answer=resolved.masker.text(answer.body.decode(errors="replace").replace("\0", "\ufffd")),
        retry=answer.status == 429 or answer.status >= 500,
        unknown=unknown,
        retry_after=retries.retry_after(answer.headers, now=timezone.now()),
    )


@transaction.atomic
def _settle(delivery: Delivery, outcome: Outcome, *, now: datetime) -> bool:
    if not delivery.settle(outcome, now=now):
        return False
    told = False
    if job := _job(delivery):
        for draft in job.call_settled(delivery, outcome, now=now):
            Delivery.objects.open(draft, job=job, now=now)
            told = True
    if delivery.lost and not told:
        undelivered.tell(delivery, now=now)
    return True


def _job(delivery: Delivery) -> ScheduledJob | None:
    """None where it was deleted, or restarted since: another cycle is not ended by an old call."""
    for kind in job_kinds():
        if kind.kind == delivery.job_kind:
            return kind.objects.select_for_update().filter(pk=delivery.job_id, cycle=delivery.cycle).first()
    return None
