"""Jobs and logs as JSON, as the API shows them, and trials likewise."""

import uuid
from typing import Any

from customchecks.api.serializers import JobSerializer, LogSerializer
from customchecks.models import CustomCheckJob, CustomCheckLog
from polling.results import CheckResult


def job(job: CustomCheckJob) -> dict[str, Any]:
    return dict(JobSerializer(job).data)


def log(log: CustomCheckLog) -> dict[str, Any]:
    return dict(LogSerializer(log).data)


def trial(check_id: uuid.UUID, result: CheckResult) -> dict[str, Any]:
    """The fields of a log that was not written, and what the next check would have been given."""
    return {
        "check_id": check_id,
        "status": result.verdict.lower(),
        "cause": result.cause or "",
        "message": result.message,
        "script_output": {
            "status": result.verdict.value,
            "message": result.message,
            "data": result.data,
            "stdout": result.stdout,
            "stderr": result.stderr,
        },
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
