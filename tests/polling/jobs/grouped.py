"""Groups and their members, made as everybody makes them, and the ends of jobs."""

import json
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from polling.base.results import CheckResult, Verdict
from polling.jobs import claims, group_changes
from polling.jobs.groups import JobGroup
from polling.jobs.scheduling import ScheduledJob
from polling.outbox.deliveries import Delivery
from tests.kinds.models import ScriptedJob

HOOK = "https://hooks.example.com/group"


def boss() -> User:
    return User.objects.filter(username="boss").first() or User.objects.create_superuser("boss")


def make_member(name: str = "job", **columns: Any) -> ScriptedJob:
    return ScriptedJob.objects.create(**{"name": name, "next_check_at": timezone.now()} | columns)


def make_group(*jobs: ScheduledJob, **columns: Any) -> JobGroup:
    data = {"name": "all providers", "webhook_url": HOOK} | columns
    return group_changes.create_group(data, wanted=[(job.kind, job.pk) for job in jobs], user=boss())


def end(job: ScheduledJob, verdict: Verdict = Verdict.SUCCESS, *, now: datetime | None = None, **answer: Any) -> None:
    """One check of the job, recorded as the sweep records it."""
    at = now or timezone.now()
    type(job).objects.filter(pk=job.pk).update(next_check_at=at)
    claimed_jobs = claims.claim_due(type(job), host="test", now=at, fits=lambda _: True)
    (claim,) = [claim for claimed, claim in claimed_jobs if claimed.pk == job.pk]
    assert claims.record(claim, CheckResult(verdict=verdict, **answer), now=at)
    for other, held in claimed_jobs:
        if other.pk != job.pk:
            claims.release(held, now=at)
    job.refresh_from_db()


def sent(group: JobGroup) -> list[dict[str, Any]]:
    """The bodies of the deliveries of the group, the first one first."""
    owed = Delivery.objects.filter(job_kind=group.kind, job_id=group.pk).order_by("created_at", "cycle")
    group.refresh_from_db()
    return [json.loads(delivery.body) for delivery in owed]
