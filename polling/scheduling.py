"""When a job is checked and what its answer does to it: every transition of every kind of job.

Two facts about a job are independent: its status (is it wanted?) and its claim (is a check in flight?). Nothing outside
this module writes ``status``, ``next_check_at``, the claim or the counters.
"""

import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, cast

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from polling import groups, limits, pacing
from polling.crashpoints import Point, reach
from polling.deliveries import Delivery, DeliveryDraft, Outcome
from polling.kinds import Kind
from polling.kinds import kinds as kinds
from polling.results import Cause, CheckResult, LastAnswer, Verdict
from secrets_app.access import audit

CLAIM_SECONDS = 30  # a sweep renews its claims every few seconds; a dead one's are free after this
CLOCK_TOLERANCE = timedelta(seconds=60)


class TransitionRefused(Exception):
    """The job's status does not allow this; the message is a sentence for the caller."""


class JobStatus(models.TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


CHECKABLE = (JobStatus.ACTIVE, JobStatus.PAUSED)
CLAIMED = ("claim_id", "claimed_by", "claimed_until", "check_id", "next_check_id", "next_check_at", "deadline_at")


@dataclass(frozen=True)
class Claim:
    """The right to record one check. ``next_check_at`` is what the claim moved the job's to; None: it is paused.

    A check that a shutdown interrupted goes on under its ``check_id``, and under another claim.
    """

    kind: type["ScheduledJob"]
    job_id: int
    claim_id: uuid.UUID
    check_id: uuid.UUID
    next_check_at: datetime | None
    claimed_at: datetime
    due_at: datetime


class ScheduledJobQuerySet(models.QuerySet["ScheduledJob"]):
    def due(self, now: datetime) -> Self:
        """Paused jobs are among them only when somebody triggered one."""
        return self.filter(status__in=CHECKABLE, next_check_at__lte=now, claim_id=None)

    def in_flight(self, host: str) -> Self:
        return self.filter(claimed_by=host, claim_id__isnull=False)

    def expired(self, now: datetime) -> Self:
        return self.filter(claimed_until__lt=now, claim_id__isnull=False)

    def overdue(self, now: datetime) -> Self:
        """What waits for something else than a check has no deadline, such as for Keboola."""
        return self.filter(status=JobStatus.ACTIVE, deadline_at__lte=now, next_check_at__isnull=False)


class ScheduledJob(Kind, limits.Limits):
    """What every kind of job has in common. ``runner`` is the dotted path of the kind's ``polling.runners.Runner``."""

    runner: ClassVar[str]
    ended: ClassVar[Sequence[str]] = (JobStatus.COMPLETED, JobStatus.FAILED)

    name = models.CharField(max_length=255)
    poll_interval_seconds = models.PositiveIntegerField(
        default=120, validators=[MinValueValidator(pacing.SHORTEST_SECONDS), MaxValueValidator(pacing.LONGEST_SECONDS)]
    )
    status = models.CharField(max_length=50, choices=JobStatus, default=JobStatus.ACTIVE, editable=False)
    failure_cause = models.CharField(max_length=50, blank=True, editable=False)
    cycle = models.PositiveIntegerField(default=1, editable=False)
    check_count = models.PositiveIntegerField(default=0, editable=False)
    consecutive_errors = models.PositiveIntegerField(default=0, editable=False)
    last_check_status = models.CharField(max_length=50, null=True, editable=False)
    last_check_at = models.DateTimeField(null=True, editable=False)
    next_check_at = models.DateTimeField(null=True, editable=False)
    next_check_in = models.PositiveIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)

    claim_id = models.UUIDField(null=True, editable=False, unique=True)
    claimed_by = models.CharField(max_length=255, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    # The running check's, and the one that was promised to whoever triggered the next
    check_id = models.UUIDField(null=True, editable=False)
    next_check_id = models.UUIDField(null=True, editable=False)

    objects = ScheduledJobQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @classmethod
    def once(cls, **columns: Any) -> Self:
        """A new job that is checked once, at once, and then never by itself: it is paused, and triggered."""
        job = cls(status=JobStatus.PAUSED, **columns)
        job.save()
        job.trigger()
        return job

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Its groups keep what was known of it."""
        with transaction.atomic():
            if job := type(self).objects.select_for_update().filter(pk=self.pk).first():
                groups.forget(job, now=timezone.now())
            return super().delete(*args, **options)

    # What a kind adds

    def not_runnable(self) -> str:
        """A sentence why no check can run yet, or an empty string."""
        return ""

    def recorded_fields(self, result: CheckResult) -> dict[str, Any]:
        """Columns of the kind that a check's answer changes."""
        return {}

    def restarted_fields(self) -> dict[str, Any]:
        """Columns of the kind that a new cycle starts with."""
        return {}

    def ends_as(self, result: CheckResult) -> str | None:
        """The status that a terminal answer gives the job. None: it waits, without a next check, for ``conclude``."""
        return JobStatus.COMPLETED

    def write_log(self, claim: Claim, result: CheckResult, now: datetime) -> None:
        raise NotImplementedError

    def deliveries(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        """What is to be sent when this answer has ended the job, or the job was given up."""
        return ()

    def alert(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        """What is to be sent when the job has begun to err (``alerting``), or errs no more."""
        return ()

    def call_settled(self, delivery: Delivery, outcome: Outcome, *, now: datetime) -> Sequence[DeliveryDraft]:
        """An attempt at a call that is made at most once has ended; returns what is to be sent because of that."""
        return ()

    def last_answer(self) -> LastAnswer:
        """Of this cycle, for those who did not follow its checks."""
        return LastAnswer(cause=self.failure_cause)

    # Transitions that people ask for

    def pause(self) -> None:
        nothing_due = {"next_check_at": None, "next_check_id": None, "deadline_at": None}
        self._move((JobStatus.ACTIVE,), "paused", status=JobStatus.PAUSED, **nothing_due)

    def resume(self) -> None:
        due = None if self.not_runnable() else timezone.now()
        self._move((JobStatus.PAUSED,), "resumed", status=JobStatus.ACTIVE, next_check_at=due)

    def trigger(self) -> uuid.UUID:
        """Makes the job due now, also while it is paused; during a check it asks for one more after it.

        Returns the id that the check will have. Whoever triggers before it starts gets the same one.
        """
        self._refuse_unless_runnable()
        with transaction.atomic():
            self._move(CHECKABLE, "triggered", next_check_at=timezone.now(), next_check_id=_promised(uuid.uuid4()))
        return cast(uuid.UUID, self.next_check_id)

    def state_of(self, check_id: uuid.UUID) -> str | None:
        """ "running" or "waiting"; None where no such check is under way: it has ended, or never will be made."""
        if check_id == self.check_id:
            return "running"
        return "waiting" if check_id == self.next_check_id and self.next_check_at is not None else None

    def restart(self) -> None:
        self._refuse_unless_runnable()
        self._move(
            self.ended,
            "restarted",
            status=JobStatus.ACTIVE,
            next_check_at=timezone.now(),
            next_check_id=None,
            cycle=models.F("cycle") + 1,
            check_count=0,
            consecutive_errors=0,
            completed_at=None,
            failure_cause="",
            next_check_in=None,
            deadline_at=None,
            alerting=False,
            alert_count=0,
            **self.restarted_fields(),
        )

    def schedule(self) -> None:
        """Makes an active job due that was waiting for something, such as its script."""
        type(self).objects.filter(pk=self.pk, status=JobStatus.ACTIVE, next_check_at=None).update(
            next_check_at=timezone.now()
        )
        self.refresh_from_db()

    def interval_changed(self) -> None:
        """The new interval counts from the last check; what is due stays due."""
        now = timezone.now()
        due = max((self.last_check_at or self.created_at) + timedelta(seconds=self.poll_interval_seconds), now)
        type(self).objects.filter(pk=self.pk, status=JobStatus.ACTIVE, next_check_at__gt=now).update(next_check_at=due)
        self.refresh_from_db()

    def deadline_changed(self, before: int) -> None:
        """The new deadline counts from where the old one of ``before`` seconds did."""
        moved = models.F("deadline_at") + timedelta(seconds=self.deadline_seconds - before)
        type(self).objects.filter(pk=self.pk).update(deadline_at=moved)
        self.refresh_from_db()

    def conclude(self, status: str, *, cause: str = "", now: datetime) -> bool:
        """Ends a job that waited for the outcome of a call that it owed; a call that was sent again ends it anew.

        False, and nothing changes, where the job is in another cycle or has completed.
        """
        waiting = type(self).objects.filter(pk=self.pk, cycle=self.cycle, status__in=(*CHECKABLE, JobStatus.FAILED))
        with transaction.atomic():
            concluded = waiting.update(status=status, failure_cause=cause, completed_at=now, next_check_at=None)
            self.refresh_from_db()
            groups.notice(self, now=now)
        return bool(concluded)

    def _refuse_unless_runnable(self) -> None:
        if reason := self.not_runnable():
            raise TransitionRefused(reason)

    def _move(self, sources: Sequence[str], verb: str, **changes: Any) -> None:
        before = self.status
        with transaction.atomic():
            moved = type(self).objects.filter(pk=self.pk, status__in=sources).update(**changes)
            self.refresh_from_db()
            if moved:
                audit.note(self, verb, **({"status": (before, self.status)} if before != self.status else {}))
        if not moved:
            raise TransitionRefused(f"A job that is {self.status} cannot be {verb}; it must be {' or '.join(sources)}.")


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
        cause = None if result.verdict.terminal else limits.reached(job, result, now=now)
        if cause is not None:
            _give_up(job, cause, result, now=now)
            return True
        if job.alerting is not alerting:
            _owe(job, job.alert(result, now), now=now)
        if result.verdict.terminal:
            _owe(job, job.deliveries(result, now), now=now)
        groups.notice(job, now=now)
    return True


def give_up_overdue(kind: type[ScheduledJob], *, now: datetime, last_look: bool = False) -> int:
    """Ends jobs whose deadline has passed, also those whose check still runs: its claim is taken away.

    ``last_look``: those that are due are checked once more first, as after a time in which nothing ran.
    """
    overdue = kind.objects.overdue(now)
    if last_look:
        overdue = overdue.exclude(claim_id=None, next_check_at__lte=now)
    given_up = 0
    for pk in list(overdue.values_list("pk", flat=True)[:100]):
        with transaction.atomic():
            job = overdue.select_for_update().filter(pk=pk).first()
            if job is not None:
                _give_up(job, Cause.DEADLINE, _last_result(job), now=now)
                given_up += 1
    return given_up


def _give_up(job: ScheduledJob, cause: Cause, last: CheckResult, *, now: datetime) -> None:
    outcome = limits.gave_up(job, cause, last)
    check_id = job.check_id or uuid.uuid4()
    claim = Claim(type(job), job.pk, job.claim_id or check_id, check_id, None, now, now)
    type(job).objects.filter(pk=job.pk).update(
        **_unclaimed(), status=JobStatus.FAILED, failure_cause=cause.value, completed_at=now, next_check_at=None
    )
    job.refresh_from_db()
    job.write_log(claim, outcome, now)
    _owe(job, job.deliveries(outcome, now), now=now)
    groups.notice(job, now=now)


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
    again = {"next_check_at": now, "next_check_id": _promised(claim.check_id)}
    if not mine.filter(status__in=wanted).update(**_unclaimed(), **again):
        mine.update(**_unclaimed())


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


def _unclaimed() -> dict[str, Any]:
    return {"claim_id": None, "claimed_by": "", "claimed_until": None, "check_id": None}


def _promised(check_id: uuid.UUID) -> Coalesce:
    """What was promised before stays promised."""
    return Coalesce("next_check_id", models.Value(check_id, output_field=models.UUIDField()))


def _answered(job: ScheduledJob, claim: Claim, result: CheckResult, now: datetime) -> dict[str, Any]:
    counts = result.cause is None or not result.cause.ours
    changes = _unclaimed() | {
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
    wait = pacing.wait(job, result)
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
