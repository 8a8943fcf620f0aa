"""What every kind of job has in common, and the transitions that people ask for.

Two facts about a job are independent: its status (is it wanted?) and its claim (is a check in flight?). Nothing but
this module and ``claims``, which has the transitions of checks, writes ``status``, ``next_check_at``, the claim or the
counters.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, cast

from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.dispatch import Signal
from django.utils import timezone

from polling.base.results import CheckResult, LastAnswer
from polling.jobs import ranges
from polling.jobs.limits import Limits, between
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome
from secrets_app.access import audit

# Both are sent with ``job`` and ``now`` in the transaction of the change, with the job's row locked
job_ended = Signal()
job_deleted = Signal()


class TransitionRefused(Exception):
    """The job's status does not allow this; the message is a sentence for the caller."""


class JobStatus(models.TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


CHECKABLE = (JobStatus.ACTIVE, JobStatus.PAUSED)


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


class ScheduledJob(Limits):
    """What every kind of job has in common.

    ``runner`` is the dotted path of the kind's ``Runner`` (``polling.jobs.runners``).
    """

    kind: ClassVar[str]
    runner: ClassVar[str]
    counted: ClassVar[bool] = True  # False: the sweep runs it, and nobody calls it a job
    ended: ClassVar[Sequence[str]] = (JobStatus.COMPLETED, JobStatus.FAILED)

    name = models.CharField(max_length=255)
    poll_interval_seconds = models.PositiveIntegerField(
        default=ranges.INTERVAL_SECONDS.default, validators=between(ranges.INTERVAL_SECONDS)
    )
    status = models.CharField(max_length=50, choices=JobStatus, default=JobStatus.ACTIVE, editable=False)
    failure_cause = models.CharField(max_length=50, blank=True, editable=False)
    cycle = models.PositiveIntegerField(default=1, editable=False)
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
                job_deleted.send(type(job), job=job, now=timezone.now())
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
        """An attempt at a call that the job waits for has ended; returns what is to be sent because of that."""
        return ()

    def calls_at_its_end(self) -> Sequence[str]:
        """What the end of a cycle starts and calls outside, each in a few words."""
        return ()

    def own_alert_url(self) -> str:
        """Whom the job's alerts go to, where it has somebody of its own."""
        return ""

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
            self._move(CHECKABLE, "triggered", next_check_at=timezone.now(), next_check_id=promised(uuid.uuid4()))
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

    def hasten(self) -> None:
        """Makes the next check of an active job due now: what its last one failed for may be mended."""
        now = timezone.now()
        later = type(self).objects.filter(pk=self.pk, status=JobStatus.ACTIVE, next_check_at__gt=now)
        later.update(next_check_at=now)
        self.refresh_from_db()

    @classmethod
    def hasten_erring(cls, now: datetime) -> None:
        """As ``hasten``, for all jobs of the kind that err."""
        erring = cls.objects.filter(status=JobStatus.ACTIVE, consecutive_errors__gt=0, next_check_at__gt=now)
        erring.update(next_check_at=now)

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
            self.tell_if_ended(now)
        return bool(concluded)

    def tell_if_ended(self, now: datetime) -> None:
        """The caller has the transaction, in which the row is locked."""
        if self.status in self.ended:
            job_ended.send(type(self), job=self, now=now)

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


def promised(check_id: uuid.UUID) -> Coalesce:
    """What was promised before stays promised."""
    return Coalesce("next_check_id", models.Value(check_id, output_field=models.UUIDField()))
