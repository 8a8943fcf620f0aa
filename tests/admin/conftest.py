"""A superuser in the admin, and one of everything that it shows."""

import uuid

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.outbox.deliveries import Delivery
from tests.factories import tgz

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def upload(files: dict[str, str]) -> SimpleUploadedFile:
    return SimpleUploadedFile("script.tgz", tgz(files))


@pytest.fixture
def browser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def make_log(job: CustomCheckJob, text: str = "so") -> CustomCheckLog:
    return CustomCheckLog.objects.create(
        job=job,
        check_id=uuid.uuid4(),
        cycle=1,
        status="error",
        cause="timeout",
        message=text,
        script_output={"data": {text: text}, "stdout": text, "stderr": text},
        timings={"start": 3},
        execution_time_ms=1234,
        started_at=timezone.now(),
    )


def make_delivery(job: CustomCheckJob, text: str = "so") -> Delivery:
    return Delivery.objects.create(
        id=uuid.uuid4(),
        job_kind=job.kind,
        job_id=job.pk,
        job_name=job.name,
        cycle=1,
        event="check.ended",
        url=f"https://hooks.example.com/{text}",
        method="POST",
        body=text,
        last_error=text,
    )
