"""The jobs of a group, of whatever kind, and what is known of each of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import ScheduledJob

DELETED = "deleted"
LARGEST_ID = 2**63 - 1

Key = tuple[str, int]


class GroupMember(models.Model):
    """``last_known`` is what was known of the job when it was deleted, ``had_ended`` whether it had ended by then."""

    group = models.ForeignKey("polling.JobGroup", models.CASCADE, related_name="members", editable=False)
    job_kind = models.CharField(max_length=50, editable=False)
    job_id = models.BigIntegerField(editable=False)
    last_known = models.JSONField(null=True, editable=False)
    had_ended = models.BooleanField(default=False, editable=False)

    class Meta:
        db_table = "job_group_members"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["group", "job_kind", "job_id"], name="one_membership")]
        indexes = [models.Index(fields=["job_kind", "job_id"], name="idx_member_job")]

    def __str__(self) -> str:
        return f"{self.job_kind} {self.job_id}"


@dataclass(frozen=True)
class Member:
    """A member as it is now; ``job`` is None where it was deleted."""

    row: GroupMember
    job: ScheduledJob | None

    @property
    def kind(self) -> str:
        return self.row.job_kind

    @property
    def id(self) -> int:
        return self.row.job_id

    @property
    def name(self) -> str:
        return self.job.name if self.job else str(self._last_known.get("name", ""))

    @property
    def status(self) -> str:
        return self.job.status if self.job else DELETED

    @property
    def verdict(self) -> str | None:
        """Of this cycle: a job that was restarted has none until it is checked."""
        if self.job is None:
            return self._last_known.get("verdict")
        return self.job.last_check_status if self.job.check_count or self.ended else None

    @property
    def ended(self) -> bool:
        return self.job.status in self.job.ended if self.job else self.row.had_ended

    @property
    def awaited(self) -> bool:
        return self.job is not None and not self.ended

    def is_asked(self, now: datetime) -> bool:
        """A check of it runs or is due."""
        if self.job is None or self.ended:
            return False
        return self.job.claim_id is not None or (self.job.next_check_at is not None and self.job.next_check_at <= now)

    def known(self) -> dict[str, Any]:
        """Everything that a group tells of it."""
        summary = {name: getattr(self, name) for name in ("kind", "id", "name", "status", "ended", "verdict")}
        if self.job is None:
            answer = {name: self._last_known.get(name) for name in ("message", "data", "cause")}
            return summary | answer
        last = self.job.last_answer()
        return summary | {"message": last.message or None, "data": last.data, "cause": last.cause or None}

    @property
    def _last_known(self) -> dict[str, Any]:
        return self.row.last_known or {}


def states(rows: Iterable[GroupMember]) -> dict[int, list[Member]]:
    """By group, in their order: one question for each kind of job."""
    rows = list(rows)
    jobs = _jobs({(row.job_kind, row.job_id) for row in rows})
    found: defaultdict[int, list[Member]] = defaultdict(list)
    for row in rows:
        job = jobs.get((row.job_kind, row.job_id)) if row.last_known is None else None
        found[row.group_id].append(Member(row, job))
    return found


def groups_of(keys: Iterable[Key]) -> Counter[Key]:
    """How many groups each of these jobs is in."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for kind, job_id in keys:
        ids[kind].append(job_id)
    found: Counter[Key] = Counter()
    for kind in ids:
        rows = GroupMember.objects.filter(job_kind=kind, job_id__in=ids[kind])
        found.update((kind, job_id) for job_id in rows.values_list("job_id", flat=True))
    return found


def locked(keys: Iterable[Key]) -> dict[Key, ScheduledJob]:
    """The jobs that there are of these, locked until the transaction ends, always in the same order."""
    return _jobs(set(keys), lock=True)


def _jobs(keys: set[Key], *, lock: bool = False) -> dict[Key, ScheduledJob]:
    found: dict[Key, ScheduledJob] = {}
    for kind in sorted(job_kinds(), key=lambda kind: kind.kind):
        if ids := [job_id for name, job_id in keys if name == kind.kind and 0 < job_id <= LARGEST_ID]:
            rows = kind.objects.filter(pk__in=ids).order_by("pk")
            found |= {(kind.kind, job.pk): job for job in (rows.select_for_update() if lock else rows)}
    return found
