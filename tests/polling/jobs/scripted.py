"""Scripted jobs that are due, claimed and answered at times that a test chooses."""

from collections.abc import Callable
from datetime import datetime

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import claims
from polling.jobs.scheduling import Claim, ScheduledJob
from tests.kinds.models import ScriptedJob

NOW = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
SUCCESS = CheckResult(verdict=Verdict.SUCCESS)
FAILED = CheckResult(verdict=Verdict.FAILED)
PENDING = CheckResult(verdict=Verdict.PENDING)
ERROR = CheckResult(verdict=Verdict.ERROR, cause=Cause.TIMEOUT)


def due_job(**fields: object) -> ScriptedJob:
    return ScriptedJob.objects.create(**{"name": "job", "next_check_at": NOW, "poll_interval_seconds": 120} | fields)


def claimed(now: datetime = NOW, *, fits: Callable[[ScheduledJob], bool] = lambda job: True) -> dict[int, Claim]:
    return {job.pk: held for job, held in claims.claim_due(ScriptedJob, host="h", now=now, fits=fits)}


def claim(job: ScriptedJob, now: datetime = NOW) -> Claim:
    return claimed(now)[job.pk]


def answer(job: ScriptedJob, *results: CheckResult, now: datetime = NOW) -> None:
    """One check for each, all at the same moment."""
    for result in results:
        ScriptedJob.objects.filter(pk=job.pk, status="active").update(next_check_at=now)
        assert claims.record(claim(job, now), result, now=now)
        job.refresh_from_db()
