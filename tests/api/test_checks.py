"""``trigger`` and ``test`` say which check they start, and where its answer will be."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, Trial
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from polling.outbox.deliveries import Delivery
from tests.api.conftest import JOBS

MakeJob = Callable[..., CustomCheckJob]
KINDS = {"trigger": CustomCheckJob, "test": Trial}


def run(kind: type[Any], verdict: Verdict = Verdict.PENDING, **columns: Any) -> None:
    """One due check, as the sweep makes it."""
    now = timezone.now()
    ((_, claim),) = claims.claim_due(kind, host="test", now=now, fits=lambda _: True)
    claims.record(claim, CheckResult(verdict=verdict, **columns), now=now)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("verb", KINDS)
def test_the_answer_names_the_check_and_its_place(
    client: APIClient, create_job: MakeJob, verb: str, slash: str
) -> None:
    job = create_job()
    answer = client.post(f"{JOBS}/{job.pk}/{verb}{slash}")
    body = answer.json()
    assert (answer.status_code, body["job_id"]) == (202, job.pk)
    assert body["location"] == answer["Location"] == f"{JOBS}/{job.pk}/checks/{uuid.UUID(body['check_id'])}"


@pytest.mark.parametrize("verb", KINDS)
def test_the_place_tells_how_far_the_check_is_and_then_what_it_said(
    client: APIClient, create_job: MakeJob, verb: str
) -> None:
    place = client.post(f"{JOBS}/{create_job().pk}/{verb}").json()["location"]
    waiting = client.get(place)
    assert (waiting.status_code, waiting.json()["state"]) == (202, "waiting")
    run(KINDS[verb], message="not yet", stdout="out", version=1)
    ended = client.get(f"{place}/")
    shown = ended.json()
    assert (ended.status_code, shown["status"], shown["message"], shown["version"]) == (200, "pending", "not yet", 1)
    assert shown["check_id"] == place.rpartition("/")[2]
    assert shown["script_output"]["stdout"] == "out"


@pytest.mark.parametrize("verb", KINDS)
def test_a_check_of_another_job_is_404(client: APIClient, create_job: MakeJob, verb: str) -> None:
    check_id = client.post(f"{JOBS}/{create_job().pk}/{verb}").json()["check_id"]
    assert client.get(f"{JOBS}/{create_job().pk}/checks/{check_id}").status_code == 404


def test_a_check_that_is_nobodys_is_404(client: APIClient, create_job: MakeJob) -> None:
    assert client.get(f"{JOBS}/{create_job().pk}/checks/{uuid.uuid4()}").status_code == 404


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_test_changes_nothing_of_the_job_and_owes_nothing(
    client: APIClient, create_job: MakeJob, verdict: Verdict
) -> None:
    job = create_job(webhook_url="https://hooks.example.com/x")
    before = client.get(f"{JOBS}/{job.pk}").json()
    client.post(f"{JOBS}/{job.pk}/test")
    run(Trial, verdict, state={"seen": 1}, data={"a": 1})
    assert client.get(f"{JOBS}/{job.pk}").json() == before
    assert (job.logs.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.parametrize("status", ["paused", "completed"])
def test_a_job_that_is_not_checked_any_more_can_be_tested(client: APIClient, create_job: MakeJob, status: str) -> None:
    job = create_job()
    CustomCheckJob.objects.filter(pk=job.pk).update(status=status, next_check_at=None)
    assert client.post(f"{JOBS}/{job.pk}/test").status_code == 202


def test_a_job_without_a_script_cannot_be_tested(client: APIClient, create_job: MakeJob) -> None:
    answer = client.post(f"{JOBS}/{create_job(scripted=False).pk}/test")
    assert (answer.status_code, answer.json()["detail"]) == (409, "The job has no script yet: upload one first.")


def test_a_test_that_waits_serves_everybody_and_one_that_runs_is_waited_for(
    client: APIClient, create_job: MakeJob
) -> None:
    path = f"{JOBS}/{create_job().pk}/test"
    first, second = (client.post(path).json()["check_id"] for _ in range(2))
    assert first == second
    claims.claim_due(Trial, host="test", now=timezone.now(), fits=lambda _: True)
    refused = client.post(path)
    assert refused.status_code == 409
    assert first in refused.json()["detail"]


def test_tests_are_not_counted_as_jobs(client: APIClient, create_job: MakeJob) -> None:
    client.post(f"{JOBS}/{create_job().pk}/test")
    assert client.get("/api/stats").json()["total_jobs"] == 1


def test_a_deleted_job_takes_its_tests_with_it(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    client.post(f"{JOBS}/{job.pk}/test")
    assert client.delete(f"{JOBS}/{job.pk}").status_code == 204
    assert not Trial.objects.exists()


def test_the_times_of_a_test_end_in_z(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    check_id = client.post(f"{JOBS}/{job.pk}/test").json()["check_id"]
    run(Trial, Verdict.SUCCESS)
    told = client.get(f"{JOBS}/{job.pk}/checks/{check_id}").json()
    assert [told[name][-1] for name in ("started_at", "created_at")] == ["Z", "Z"]
