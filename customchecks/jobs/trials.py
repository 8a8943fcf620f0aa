"""One run of a job's script for somebody who wants to see it: the sweep makes it, and the job does not change.

A trial is a job of its own that is checked once, so that a slot, a claim and a deadline are what they are for checks.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django.db import models, transaction

from polling.base.results import CheckResult
from polling.jobs.scheduling import Claim, ScheduledJob, TransitionRefused

KEPT = timedelta(days=1)


class Trial(ScheduledJob):
    """``answer`` has the fields of a log row, and what the next check would have been given."""

    kind: ClassVar[str] = "test"
    runner: ClassVar[str] = "customchecks.checking.trial_runner.TrialRunner"
    counted: ClassVar[bool] = False

    job = models.ForeignKey("customchecks.CustomCheckJob", models.CASCADE, related_name="trials", editable=False)
    answer = models.JSONField(null=True, editable=False)

    class Meta:
        db_table = "custom_check_trials"
        ordering = ["id"]
        indexes = [models.Index(fields=["next_check_at"], name="idx_custom_trial_next_check")]

    def not_runnable(self) -> str:
        return self.job.not_runnable()

    def write_log(self, claim: Claim, result: CheckResult, now: datetime) -> None:
        shown = answer(claim.check_id, result) | {"id": None, "job_id": self.job_id, "cycle": None, "test": True}
        times = {"started_at": _shown(claim.claimed_at), "created_at": _shown(now)}
        self.answer = shown | times
        self.save(update_fields=["answer"])


def _shown(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def answer(check_id: uuid.UUID, result: CheckResult) -> dict[str, Any]:
    return {
        "check_id": str(check_id),
        "status": result.verdict.lower(),
        "cause": result.cause or "",
        "message": result.message,
        "script_output": result.output(),
        "revision": result.revision,
        "version": result.version,
        "source": result.source,
        "source_note": result.source_note,
        "execution_time_ms": result.execution_time_ms,
        "timings": result.timings,
        "state": result.state,
        "progress": result.progress,
        "next_check_in": result.next_check_in,
    }


@transaction.atomic
def start(job: Any) -> uuid.UUID:
    """The id of the check: one that waits already serves everybody. Raises TransitionRefused."""
    locked = type(job).objects.select_for_update().get(pk=job.pk)
    if reason := locked.not_runnable():
        raise TransitionRefused(reason)
    for trial in locked.trials.filter(answer__isnull=True):
        if trial.next_check_id is not None:
            return cast(uuid.UUID, trial.next_check_id)
        if trial.check_id is not None:
            raise TransitionRefused(f"A test of this job is running: {trial.check_id}. Wait for its answer.")
    return cast(uuid.UUID, Trial.once(name=locked.name, job=locked).next_check_id)


def find(job: Any, check_id: uuid.UUID) -> Trial | None:
    known = models.Q(check_id=check_id) | models.Q(next_check_id=check_id) | models.Q(answer__check_id=str(check_id))
    return cast(Trial | None, job.trials.filter(known).first())


def forget_old(now: datetime) -> int:
    return Trial.objects.filter(claim_id=None, created_at__lt=now - KEPT).delete()[0]
