"""When a group of jobs has ended, and the one delivery that it then owes. Nothing else writes a group's state.

A group is looked at in the transaction that changes one of its jobs, under the lock of its row, which is taken after
the job's: of two jobs that end at once the second one sees the first.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.dispatch import receiver
from django.utils import timezone

from polling.base.crash_points import Point, reach
from polling.base.results import Verdict
from polling.channels import registry
from polling.jobs import members, ranges
from polling.jobs.declared import GROUP
from polling.jobs.limits import between
from polling.jobs.members import GroupMember, Member
from polling.jobs.scheduling import ScheduledJob, job_deleted, job_ended
from polling.outbox import webhook_fields
from polling.outbox.deliveries import Delivery, DeliveryDraft
from polling.outbox.webhook_fields import WebhookMethod
from teckochecker.kit.declared import Table

EVENT = "group.ended"
DEADLINE, MEMBERS_DELETED = "deadline", "members_deleted"
MAX_DATA = 2 * 1024 * 1024  # bytes of all members' data together; a job's own are at most 64 kB
TEMPLATE_ROOTS = frozenset(
    {
        *("group_id", "group_name", "status", "cause", "rule", "needed", "total", "ended", "succeeded"),
        *("timestamp", "delivery_id"),
    }
)


class Rule(models.TextChoices):
    ALL = "all", "All ended"
    ANY = "any", "Any ended"
    COUNT = "count", "So many ended"


class GroupStatus(models.TextChoices):
    """The words of a job's status. ``failed``: the rule was not met, and ``failure_cause`` says why."""

    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class GroupRefused(Exception):
    """The group's status does not allow this; the message is a sentence for the caller."""


@dataclass(frozen=True)
class Ending:
    status: GroupStatus
    cause: str = ""


def query_params(value: object) -> None:
    webhook_fields.check_query(value, roots=TEMPLATE_ROOTS)


class JobGroup(models.Model):
    kind: ClassVar[str] = "group"
    declared: ClassVar[Table] = GROUP

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    name = models.CharField(max_length=255)
    rule = models.CharField(max_length=20, choices=Rule, default=Rule.ALL)
    count = models.PositiveIntegerField(null=True, blank=True)
    deadline_seconds = models.PositiveIntegerField(
        default=ranges.DEADLINE_SECONDS.default, validators=between(ranges.DEADLINE_SECONDS)
    )
    webhook_url = models.CharField(max_length=500)
    webhook_method = models.CharField(max_length=10, choices=WebhookMethod, default=WebhookMethod.POST)
    webhook_headers = models.JSONField(null=True, blank=True, validators=[webhook_fields.webhook_headers])
    webhook_query_params = models.JSONField(null=True, blank=True, validators=[query_params])
    webhook_signing_secrets = models.JSONField(
        default=list, blank=True, validators=[webhook_fields.webhook_signing_secrets]
    )

    status = models.CharField(max_length=20, choices=GroupStatus, default=GroupStatus.ACTIVE, editable=False)
    failure_cause = models.CharField(max_length=50, blank=True, editable=False)
    cycle = models.PositiveIntegerField(default=1, editable=False)
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    deadline_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "job_groups"
        ordering = ["id"]
        indexes = [models.Index(fields=["status", "deadline_at"], name="idx_group_deadline")]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """The deadline follows from what is set."""
        super().clean_fields({*(exclude or ()), "deadline_at"})

    def clean(self) -> None:
        errors: dict[str, str | ValidationError] = {}
        if not self.name.strip() or not webhook_fields.visible(self.name):
            errors["name"] = "Give the group a name, without control, invisible or right-to-left characters."
        if self.rule != Rule.COUNT and self.count is not None:
            errors["count"] = 'Only the rule "count" has a count; leave it out or make it null.'
        try:
            webhook_fields.webhook_url(self.webhook_url, allow=settings.TECKO_WEBHOOK_ALLOW)
        except ValidationError as error:
            errors["webhook_url"] = error
        if errors:
            raise ValidationError(errors)

    _states: list[Member] | None = None

    def states(self) -> list[Member]:
        if self._states is None:
            preload([self])
        return self._states or []

    def known(self) -> list[dict[str, Any]]:
        return [member.known() for member in self.states()]

    def set_deadline(self) -> None:
        """Counts from the beginning of the cycle; the caller saves."""
        self.deadline_at = self.started_at + timedelta(seconds=self.deadline_seconds)

    def settle(self, now: datetime, *, overdue: bool = False) -> None:
        """Ends the group where it has to, with its delivery. The caller holds the lock of its row.

        ``overdue``: its deadline has passed. Only a sweep may say so, which follows the clock when it is set.
        """
        preload([self])
        ending = self._ending(overdue=overdue)
        if ending is None or self.status != GroupStatus.ACTIVE:
            return
        Delivery.objects.open(self.draft(ending, now), job=self, now=now)
        self.status, self.failure_cause, self.completed_at = ending.status, ending.cause, now
        self.save(update_fields=["status", "failure_cause", "completed_at"])
        reach(Point.GROUP_ENDED)

    def refuse_unless_ended(self) -> None:
        if self.status == GroupStatus.ACTIVE:
            raise GroupRefused("A group that is active cannot be restarted; it must be completed or failed.")

    def restart(self, now: datetime) -> None:
        """A new cycle, with a delivery of its own. The caller holds the lock and has restarted the members."""
        self.refuse_unless_ended()
        self.status, self.failure_cause, self.completed_at = GroupStatus.ACTIVE, "", None
        self.cycle += 1
        self.started_at = now
        self.set_deadline()
        self.save(
            update_fields=["status", "failure_cause", "completed_at", "cycle", "started_at", "deadline_at"],
        )
        self.settle(now)

    def draft(self, ending: Ending, now: datetime) -> DeliveryDraft:
        return DeliveryDraft(
            channel=registry.to(self.webhook_url),
            event=EVENT,
            url=self.webhook_url,
            method=self.webhook_method,
            headers=self.webhook_headers or {},
            query=self.webhook_query_params or {},
            signing_secrets=self.webhook_signing_secrets,
            payload=self._payload(ending, now),
        )

    def _wanted(self) -> int:
        """How many must end; of "all" those are left out that were deleted before they ended."""
        if self.rule == Rule.ANY:
            return 1
        if self.rule == Rule.COUNT:
            return self.count or 1
        return max(1, sum(member.ended or member.awaited for member in self.states()))

    def _ending(self, *, overdue: bool) -> Ending | None:
        ended = sum(member.ended for member in self.states())
        if ended >= self._wanted():
            return Ending(GroupStatus.COMPLETED)
        if not any(member.awaited for member in self.states()):
            return Ending(GroupStatus.FAILED, MEMBERS_DELETED)
        return Ending(GroupStatus.FAILED, DEADLINE) if overdue else None

    def _payload(self, ending: Ending, now: datetime) -> dict[str, Any]:
        ended = [member for member in self.states() if member.ended]
        return {
            "group_id": self.pk,
            "group_name": self.name,
            "status": ending.status.value,
            "cause": ending.cause or None,
            "rule": self.rule,
            "needed": self._wanted(),
            "total": len(self.states()),
            "ended": len(ended),
            "succeeded": sum(member.verdict == Verdict.SUCCESS for member in ended),
            "members": _within_limit(self.known()),
            "timestamp": now.isoformat().replace("+00:00", "Z"),
        }


def preload(groups: Sequence[JobGroup]) -> None:
    """Reads the members of many groups at once."""
    found = members.states(GroupMember.objects.filter(group__in=groups))
    for group in groups:
        group._states = found.get(group.pk, [])


@receiver(job_ended)
def _notice(job: ScheduledJob, now: datetime, **_: Any) -> None:
    _settle(_groups_of(job).filter(status=GroupStatus.ACTIVE), now)


@receiver(job_deleted)
def _forget(job: ScheduledJob, now: datetime, **_: Any) -> None:
    """Its groups keep what was known of it."""
    groups = list(_groups_of(job))
    for row in GroupMember.objects.filter(group__in=groups, job_kind=job.kind, job_id=job.pk):
        member = Member(row, job)
        row.last_known, row.had_ended = member.known(), member.ended
        row.save(update_fields=["last_known", "had_ended"])
    _settle(groups, now)


def enforce_deadlines(*, now: datetime, last_look: bool = False) -> int:
    """Ends the groups whose deadline has passed; returns how many there were.

    ``last_look``: members that are due are checked once more first, as after a time in which nothing ran.
    """
    late = list(JobGroup.objects.filter(status=GroupStatus.ACTIVE, deadline_at__lte=now)[:100])
    if last_look:
        preload(late)
        late = [group for group in late if not any(member.is_asked(now) for member in group.states())]
    for group in late:
        with transaction.atomic():
            still = JobGroup.objects.select_for_update().filter(pk=group.pk, status=GroupStatus.ACTIVE)
            _settle(still.filter(deadline_at__lte=now), now, overdue=True)
    return len(late)


def move_deadlines(*, by: timedelta) -> None:
    """The clock was set: what was left until a deadline is still left."""
    active = JobGroup.objects.filter(status=GroupStatus.ACTIVE)
    active.update(started_at=models.F("started_at") + by, deadline_at=models.F("deadline_at") + by)


def _groups_of(job: ScheduledJob) -> models.QuerySet[JobGroup]:
    """Locked, always in the same order."""
    mine = GroupMember.objects.filter(job_kind=job.kind, job_id=job.pk).values("group_id")
    return JobGroup.objects.select_for_update().filter(pk__in=mine).order_by("pk")


def _settle(groups: Iterable[JobGroup], now: datetime, *, overdue: bool = False) -> None:
    for group in groups:
        group.settle(now, overdue=overdue)


def _within_limit(known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Data that would make the call longer than 2 MB are left out, and their place says so."""
    left = MAX_DATA
    for member in known:
        size = len(json.dumps(member["data"]))
        if size > left:
            member |= {"data": None, "data_left_out": size}
        else:
            left -= size
    return known
