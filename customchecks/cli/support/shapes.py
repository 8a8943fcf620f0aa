"""Jobs and logs as JSON, as the API shows them."""

import uuid
from typing import Any

from customchecks.api.serializers import LogSerializer, StartedSerializer
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from customchecks.jobs.serializers import JobSerializer


def job(job: CustomCheckJob) -> dict[str, Any]:
    return dict(JobSerializer(job).data)


def log(log: CustomCheckLog) -> dict[str, Any]:
    return dict(LogSerializer(log).data)


def started(message: str, job: CustomCheckJob, check_id: uuid.UUID) -> dict[str, Any]:
    return dict(StartedSerializer({"message": message, "job_id": job.pk, "check_id": check_id}).data)
