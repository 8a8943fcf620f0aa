"""The list of jobs costs the same number of queries however many jobs and logs there are."""

import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from tests.api.conftest import JOBS
from tests.conftest import MEASURED

JOB_COUNT, LOGS_OF_A_JOB = 1000, 100


def queries(client: APIClient, query: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"{JOBS}{query}")
    assert answer.status_code == 200
    assert len(answer.json()["jobs"]) == min(int(query.partition("limit=")[2] or 100), answer.json()["total"])
    return len(captured)


def add_jobs(count: int) -> list[CustomCheckJob]:
    fields = {"script_source_type": "upload", "script_runtime": "python", "script_entrypoint": "main.py"}
    rows = [CustomCheckJob(name=f"job {n}", check_params={"n": n}, tags=["nightly"], **fields) for n in range(count)]
    return CustomCheckJob.objects.bulk_create(rows)


def add_logs(jobs: list[CustomCheckJob]) -> None:
    now = timezone.now()
    rows = (
        CustomCheckLog(
            job=job,
            check_id=uuid.uuid4(),
            cycle=1,
            status="pending",
            message="not yet",
            script_output={"status": "PENDING", "stdout": "x" * 200},
            created_at=now - timedelta(minutes=number),
        )
        for job in jobs
        for number in range(LOGS_OF_A_JOB)
    )
    CustomCheckLog.objects.bulk_create(rows, batch_size=2000)


def test_a_thousand_jobs_with_a_hundred_thousand_logs_cost_as_many_queries_as_two(
    client: APIClient, request: pytest.FixtureRequest
) -> None:
    few = add_jobs(2)
    pages = ("", "?limit=1000")
    before = [queries(client, page) for page in pages]
    add_logs(few + add_jobs(JOB_COUNT - 2))
    assert (CustomCheckJob.objects.count(), CustomCheckLog.objects.count()) == (1000, 100_000)
    assert [queries(client, page) for page in pages] == before
    for page in pages:
        started = time.monotonic()
        client.get(f"{JOBS}{page}")
        took = 1000 * (time.monotonic() - started)
        line = f"GET {JOBS}{page} with 1000 jobs and 100,000 logs: {took:.0f} ms, {before[0]} queries"
        request.node.user_properties.append((MEASURED, line))
