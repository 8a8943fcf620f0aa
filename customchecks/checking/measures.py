"""What the metrics are told of a check."""

from typing import Any

from customchecks.jobs.models import CustomCheckJob
from customchecks.sandbox.outcome import SandboxOutcome
from polling.base.results import CheckResult
from polling.jobs import metrics
from polling.jobs.scheduling import Claim


def observe_start(claim: Claim, outcome: SandboxOutcome) -> None:
    if outcome.script_started_at:
        metrics.start_delay.observe(max((outcome.script_started_at - claim.due_at).total_seconds(), 0))


def count(job: CustomCheckJob, result: CheckResult) -> None:
    labels: dict[str, Any] = {"runtime": job.script_runtime}
    metrics.executions.labels(status=result.verdict.value, **labels).inc()
    metrics.duration.labels(**labels).observe(result.execution_time_ms / 1000)
    if result.cause is not None:
        metrics.errors.labels(error_type=result.cause.value).inc()
