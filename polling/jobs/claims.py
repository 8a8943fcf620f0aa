"""Checks in flight: a claim is taken, kept, answered, given back or lost, and every answer is recorded once."""

import itertools
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, models, transaction

from polling.base.crash_points import Point, reach
from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import pacing
from polling.jobs.scheduling import CHECKABLE, Claim, JobStatus, ScheduledJob, promised
from polling.outbox.deliveries import Delivery, DeliveryDraft

CLAIM_SECONDS = 30  # a sweep renews its claims every few seconds; a dead one's are free after this
CLOCK_TOLERANCE = timedelta(seconds=60)
CLAIMED = ("claim_id", "claimed_by", "claimed_until", "check_id", "next_check_id", "next_check_at", "deadline_at")
UNCLAIMED: dict[str, Any] = {"claim_id": None, "claimed_by": "", "claimed_until": None, "check_id": None}


def claim_due(
    kind: type[ScheduledJob], *, host: str, now: datetime, fits: Callable[[ScheduledJob], bool], most: int = 100
) -> list[tuple[ScheduledJob, Claim]]:
    """The longest due first, until one does not fit: it waits, and nothing overtakes it.

    Each job's next check is set here, so that nothing can loop hot, whatever happens next.
    """
    with transaction.atomic():
        rows = kind.objects.due(now).order_by("next_check_at", "id")
        rows = rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        return [(job, _claim(job, host=host, now=now)) for job in itertools.takewhile(fits, rows[:most])]


def _claim(job: ScheduledJob, *, host: str, now: datetime) -> Claim:
    following = now + timedelta(seconds=job.poll_interval_seconds) if job.status == JobStatus.ACTIVE else None
    claim = Claim(
        kind=type(job),
        job_id=job.pk,
        claim_id=uuid.uuid4(),
        check_id=job.next_check_id or uuid.uuid4(),
        next_check_at=following,
        claimed_at=now,
        due_at=job.next_check_at or now,
    )
    job.claim_id, job.claimed_by, job.next_check_at = claim.claim_id, host, following
    job.claimed_until = now + timedelta(seconds=CLAIM_SECONDS)
    job.check_id, job.next_check_id = claim.check_id, None
    if job.status == JobStatus.ACTIVE and job.deadline_at is None:
        job.deadline_at = now + timedelta(seconds=job.deadline_seconds)
    # Not by save(): the audit would read the job once more, to find that nobody has changed it
    type(job).objects.filter(pk=job.pk).update(**{column: getattr(job, column) for column in CLAIMED})
    return claim


def renew(claims: Sequence[Claim], *, now: datetime) -> list[Claim]:
    """Keeps the claims of running checks alive; returns the lost ones, whose job was deleted or taken over."""
    lost: list[Claim] = []
    for kind in {claim.kind for claim in claims}:
        mine = {claim.claim_id: claim for claim in claims if claim.kind is kind}
        rows = kind.objects.filter(claim_id__in=mine)
        rows.update(claimed_until=now + timedelta(seconds=CLAIM_SECONDS))
        held = set(rows.values_list("claim_id", flat=True))
        lost += [claim for claim_id, claim in mine.items() if claim_id not in held]
    return lost


def record(claim: Claim, result: CheckResult, *, now: datetime) -> bool:
    """State, log and deliveries of one check, in one transaction. False: the claim is lost and nothing changed."""
    with transaction.atomic():
        job = claim.kind.objects.select_for_update().filter(pk=claim.job_id, claim_id=claim.claim_id).first()
        if job is None:
            return False
        alerting = job.alerting
        changes = _answered(job, claim, result, now) | job.recorded_fields(result)
        claim.kind.objects.filter(pk=job.pk, claim_id=claim.claim_id).update(**changes)
        reach(Point.STATE_WRITTEN)
        job.refresh_from_db()
        job.write_log(claim, result, now)
        reach(Point.LOG_WRITTEN)
        cause = None if result.verdict.terminal else job.limit_reached(result, now=now)
        if cause is not None:
            _give_up(job, cause, result, now=now)
            return True
        if job.alerting is not alerting:
            _owe(job, job.alert(result, now), now=now)
        if result.verdict.terminal:
            _owe(job, job.deliveries(result, now), now=now)
        job.tell_if_ended(now)
    return True


def give_up_overdue(kind: type[ScheduledJob], *, now: datetime, last_look: bool = False) -> int:
    """Ends jobs whose deadline has passed, also those whose check still runs: its claim is taken away.

    ``last_look``: those that are due are checked once more first, as after a time in which nothing ran, and that check
    may end.
    """
    overdue = kind.objects.overdue(now)
    if last_look:
        overdue = overdue.exclude(claim_id=None, next_check_at__lte=now)
    given_up = 0
    for pk in list(overdue.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            job = overdue.select_for_update().filter(pk=pk).first()
            if job is not None and not (last_look and _began_late(job)):
                _give_up(job, Cause.DEADLINE, _last_result(job), now=now)
                given_up += 1
    return given_up


def _began_late(job: ScheduledJob) -> bool:
    """Whether the check that runs was claimed after the deadline: ``next_check_at`` is an interval after its claim."""
    if job.claim_id is None or job.next_check_at is None or job.deadline_at is None:
        return False
    return job.next_check_at - timedelta(seconds=job.poll_interval_seconds) >= job.deadline_at


def _give_up(job: ScheduledJob, cause: Cause, last: CheckResult, *, now: datetime) -> None:
    outcome = job.gave_up(cause, last)
    check_id = job.check_id or uuid.uuid4()
    claim = Claim(type(job), job.pk, job.claim_id or check_id, check_id, None, now, now)
    type(job).objects.filter(pk=job.pk).update(
        **UNCLAIMED, status=JobStatus.FAILED, failure_cause=cause.value, completed_at=now, next_check_at=None
    )
    job.refresh_from_db()
    job.write_log(claim, outcome, now)
    _owe(job, job.deliveries(outcome, now), now=now)
    job.tell_if_ended(now)


def _last_result(job: ScheduledJob) -> CheckResult:
    last = job.last_answer()
    return CheckResult(verdict=Verdict.PENDING, message=last.message, data=last.data, revision=last.revision)


def _owe(job: ScheduledJob, drafts: Sequence[DeliveryDraft], *, now: datetime) -> None:
    for draft in drafts:
        Delivery.objects.open(draft, job=job, now=now)
        reach(Point.DELIVERY_WRITTEN)


def release(claim: Claim, *, now: datetime) -> None:
    """Gives a check up without an answer, as at a shutdown: nothing is logged, and what was wanted is due again."""
    mine = claim.kind.objects.filter(pk=claim.job_id, claim_id=claim.claim_id)
    wanted = CHECKABLE if claim.next_check_at is None else (JobStatus.ACTIVE,)  # None: a trigger on a paused job
    again = {"next_check_at": now, "next_check_id": promised(claim.check_id)}
    if not mine.filter(status__in=wanted).update(**UNCLAIMED, **again):
        mine.update(**UNCLAIMED)


def pull_back(kind: type[ScheduledJob], *, now: datetime) -> None:
    """Makes jobs due that wait for longer than they ever should: the clock was set back."""
    waiting = kind.objects.filter(status=JobStatus.ACTIVE)
    asked = waiting.filter(next_check_in__isnull=False, last_check_at__gt=now + CLOCK_TOLERANCE)
    asked.filter(next_check_at__gt=now).update(next_check_at=now)
    waiting = waiting.filter(next_check_in=None)
    late = timedelta(seconds=pacing.ERROR_RETRY_CAP_SECONDS * 1.1) + CLOCK_TOLERANCE
    for interval in waiting.order_by().values_list("poll_interval_seconds", flat=True).distinct():
        patient = waiting.filter(poll_interval_seconds=interval)
        longest = now + timedelta(seconds=interval) + CLOCK_TOLERANCE
        patient.exclude(last_check_status=Verdict.ERROR).filter(next_check_at__gt=longest).update(next_check_at=now)
        patient.filter(next_check_at__gt=max(longest, now + late)).update(next_check_at=now)


def move_deadlines(kind: type[ScheduledJob], *, by: timedelta) -> None:
    """The clock was set: what was left until a deadline is still left."""
    kind.objects.filter(status=JobStatus.ACTIVE, deadline_at__isnull=False).update(
        deadline_at=models.F("deadline_at") + by
    )


def recover(kind: type[ScheduledJob], *, now: datetime) -> int:
    """Ends the checks whose claim has expired: their process died or hung. The first time they run again at once."""
    lost = CheckResult(
        verdict=Verdict.ERROR, cause=Cause.RUNNER_LOST, message="The process that ran this check was lost."
    )
    recovered = 0
    for job in kind.objects.expired(now)[:100]:
        if job.claim_id is not None:
            check_id = job.check_id or job.claim_id
            claim = Claim(kind, job.pk, job.claim_id, check_id, job.next_check_at, now, now)
            recovered += record(claim, lost, now=now)
    return recovered


def _answered(job: ScheduledJob, claim: Claim, result: CheckResult, now: datetime) -> dict[str, Any]:
    counts = result.cause is None or not result.cause.ours
    changes = UNCLAIMED | {
        "last_check_status": result.verdict.value,
        "last_check_at": now,
        "check_count": job.check_count + counts,
        "consecutive_errors": job.consecutive_errors + counts if result.verdict is Verdict.ERROR else 0,
        "next_check_in": pacing.asked(result),
    }
    changes |= _alerting(job, result, errors=changes["consecutive_errors"])
    if result.verdict.terminal:
        status = job.ends_as(result)
        ending = {"status": status, "completed_at": now} if status else {}
        return changes | {"next_check_at": None} | ending
    wait = pacing.wait(result, interval=job.poll_interval_seconds, errors=job.consecutive_errors)
    nobody_asked = job.status == JobStatus.ACTIVE and job.next_check_at == claim.next_check_at
    if wait is not None and nobody_asked:
        changes["next_check_at"] = now + wait
    return changes


def _alerting(job: ScheduledJob, result: CheckResult, *, errors: int) -> dict[str, Any]:
    if result.verdict is not Verdict.ERROR:
        return {"alerting": False}
    if job.alerting or job.alert_after_errors is None or errors < job.alert_after_errors:
        return {}
    return {"alerting": True, "alert_count": job.alert_count + 1}
