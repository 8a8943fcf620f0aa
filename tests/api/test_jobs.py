"""Listing jobs and their logs, and what can be asked of a job."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog, ScriptArchive
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from polling.outbox.deliveries import Delivery, DeliveryDraft
from secrets_app.models import Secret, SecretGrant
from tests.api.conftest import JOBS, PASSWORD, make_log

MakeJob = Callable[..., CustomCheckJob]
DOCUMENTED = """id name script_source_type script_git_url script_git_branch script_runtime script_entrypoint
    check_params env_vars timeout_seconds webhook_url webhook_method webhook_headers poll_interval_seconds status
    last_check_status last_check_data last_check_at next_check_at created_at completed_at"""
ADDED = """waiting_for resource_limits webhook_query_params failure_cause cycle check_count consecutive_errors progress
    allow_source_builds script_sha256 script_file_path script_git_commit script_git_path script_git_token
    script_source_policy script_version_pin tags webhook_signing_secrets deadline_seconds deadline_at max_checks
    max_consecutive_errors alert_after_errors alert_url alerting next_check_in keboola_stack_url
    keboola_component_id keboola_configuration_id keboola_token keboola_variables keboola_on"""
LOGGED = """id job_id check_id cycle status cause message script_output execution_time_ms revision timings started_at
    created_at version source source_note"""


def finish(job: CustomCheckJob, verdict: Verdict = Verdict.SUCCESS, **columns: Any) -> None:
    """One check, as the sweep records it."""
    now = timezone.now()
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
    claims.record(claim, CheckResult(verdict=verdict, **columns), now=now)


def test_a_job_shows_the_documented_fields(client: APIClient, create_job: MakeJob) -> None:
    shown = client.get(f"{JOBS}/{create_job().pk}").json()
    assert set(shown) == {*DOCUMENTED.split(), *ADDED.split()}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_list_is_an_envelope(client: APIClient, create_job: MakeJob, slash: str) -> None:
    ids = [create_job().pk for _ in range(3)]
    page = client.get(f"{JOBS}{slash}?limit=2&offset=1").json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert [job["id"] for job in page["jobs"]] == ids[1:]


def test_without_numbers_a_page_has_up_to_100_jobs(client: APIClient) -> None:
    assert client.get(JOBS).json() == {"jobs": [], "total": 0, "limit": 100, "offset": 0}


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", value) for value in ("0", "1001", "-1", "x", "", "1.5", "٣", "9" * 30)]
    + [("offset", value) for value in ("-1", "x", "9" * 30)]
    + [("status", "done"), ("status", "x\0")],
)
def test_a_wrong_query_is_refused_by_its_name(client: APIClient, name: str, value: str) -> None:
    answer = client.get(JOBS, {name: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


def test_the_list_can_be_narrowed_to_a_status(client: APIClient, create_job: MakeJob) -> None:
    create_job()
    paused = create_job()
    paused.pause()
    page = client.get(f"{JOBS}?status=paused").json()
    assert ([job["id"] for job in page["jobs"]], page["total"]) == ([paused.pk], 1)


@pytest.mark.parametrize("number", [1, 20])
def test_a_list_takes_two_queries_whatever_its_length(
    client: APIClient, create_job: MakeJob, number: int, django_assert_num_queries: Any
) -> None:
    for _ in range(number):
        create_job()
    with django_assert_num_queries(2):
        assert len(client.get(JOBS).json()["jobs"]) == number


@pytest.mark.parametrize("number", [1, 20])
def test_logs_take_three_queries_whatever_their_number(
    client: APIClient, create_job: MakeJob, number: int, django_assert_num_queries: Any
) -> None:
    job = create_job()
    for _ in range(number):
        make_log(job)
    with django_assert_num_queries(3):
        assert len(client.get(f"{JOBS}/{job.pk}/logs").json()["logs"]) == number


@pytest.mark.parametrize("slash", ["", "/"])
def test_logs_are_an_envelope_with_the_newest_first(client: APIClient, create_job: MakeJob, slash: str) -> None:
    job = create_job()
    ids = [make_log(job).pk for _ in range(3)]
    make_log(create_job())
    page = client.get(f"{JOBS}/{job.pk}/logs{slash}?limit=2").json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 0)
    assert [log["id"] for log in page["logs"]] == ids[:0:-1]
    assert set(page["logs"][0]) == set(LOGGED.split())


def test_a_recorded_check_is_in_the_log(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    finish(job, data={"a": 1}, message="There.", stdout="out", timings={"script": 5}, revision="r1")
    (log,) = client.get(f"{JOBS}/{job.pk}/logs").json()["logs"]
    assert (log["status"], log["message"], log["revision"], log["timings"]) == (
        "success",
        "There.",
        "r1",
        {"script": 5},
    )
    assert log["script_output"]["data"] == {"a": 1}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_triggered_job_is_due(client: APIClient, create_job: MakeJob, slash: str) -> None:
    job = create_job()
    CustomCheckJob.objects.filter(pk=job.pk).update(next_check_at="2099-01-01T00:00Z")
    answer = client.post(f"{JOBS}/{job.pk}/trigger{slash}")
    job.refresh_from_db()
    assert (answer.status_code, answer.json()["message"], answer.json()["job_id"]) == (202, "Job triggered", job.pk)
    assert job.next_check_at is not None
    assert job.next_check_at <= timezone.now()


def test_a_job_is_paused_and_resumed(client: APIClient, create_job: MakeJob) -> None:
    path = f"{JOBS}/{create_job().pk}"
    assert client.post(f"{path}/pause").json()["message"] == "Job paused"
    assert client.get(path).json()["status"] == "paused"
    assert client.post(f"{path}/resume").json()["message"] == "Job resumed"
    assert client.get(path).json()["status"] == "active"


def test_a_completed_job_is_restarted_in_a_new_cycle(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    finish(job)
    assert client.post(f"{JOBS}/{job.pk}/restart").status_code == 200
    shown = client.get(f"{JOBS}/{job.pk}").json()
    assert (shown["status"], shown["cycle"], shown["check_count"]) == ("active", 2, 0)


@pytest.mark.parametrize(
    ("verb", "scripted", "done"),
    [
        ("resume", True, False),
        ("restart", True, False),
        ("trigger", False, False),
        ("pause", True, True),
        ("trigger", True, True),
        ("resume", True, True),
    ],
)
def test_a_wrong_transition_is_409_with_a_sentence(
    client: APIClient, create_job: MakeJob, verb: str, scripted: bool, done: bool
) -> None:
    job = create_job(scripted=scripted)
    if done:
        finish(job)
    before = client.get(f"{JOBS}/{job.pk}").json()
    answer = client.post(f"{JOBS}/{job.pk}/{verb}")
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith(".")
    assert client.get(f"{JOBS}/{job.pk}").json() == before


def test_a_deleted_job_is_gone_with_all_that_was_its_own(
    client: APIClient, create_job: MakeJob, make_secret: Callable[..., Secret]
) -> None:
    make_secret("gemini")
    job = create_job(env_vars={"KEY": "secret_ref:gemini"})
    make_log(job)
    assert client.delete(f"{JOBS}/{job.pk}").status_code == 204
    assert client.get(f"{JOBS}/{job.pk}").status_code == 404
    assert [m.objects.count() for m in (CustomCheckLog, ScriptArchive, SecretGrant)] == [0, 0, 0]


def test_a_script_that_another_job_runs_stays(client: APIClient, create_job: MakeJob) -> None:
    first, second = create_job(), create_job()
    client.delete(f"{JOBS}/{first.pk}")
    second.refresh_from_db()
    assert second.script_archive == ScriptArchive.objects.get()


IDS = ["999999", "0", "-1", "1 OR 1=1", "1.0", "..", "9" * 30, "9" * 18, "x", "1%00", "%2e%2e", "²"]


@pytest.mark.parametrize("job_id", IDS)
@pytest.mark.parametrize(
    ("method", "tail"),
    [("get", ""), ("put", ""), ("delete", ""), ("get", "/logs"), ("post", "/trigger"), ("post", "/script/upload")],
)
def test_an_id_that_is_nobodys_is_404(client: APIClient, method: str, tail: str, job_id: str) -> None:
    answer = getattr(client, method)(f"{JOBS}/{job_id}{tail}")
    assert answer.status_code == 404
    assert answer.json()["detail"]


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_do_not_confuse_a_job() -> None:
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    client = signed_in(boss)
    job_id = client.post(JOBS, {"name": "x", "script_source_type": "upload", "script_runtime": "python"}).json()["id"]
    paths = ["pause", "resume", "trigger", "restart", ""]
    codes: list[int] = []

    def ask(tail: str) -> None:
        mine = signed_in(boss)
        answer = mine.post(f"{JOBS}/{job_id}/{tail}") if tail else mine.delete(f"{JOBS}/{job_id}")
        codes.append(answer.status_code)
        connections.close_all()

    threads = [threading.Thread(target=ask, args=(paths[number % 5],)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {200, 204, 404, 409}
    assert codes.count(204) == 1
    assert CustomCheckJob.objects.count() == 0


def signed_in(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    return client


def test_what_a_deleted_job_still_owes_is_given_up_and_says_why(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    draft = DeliveryDraft(
        channel="webhook", event="check.ended", url="https://hooks.example.com/", method="POST", payload={}
    )
    owed = Delivery.objects.open(draft, job=job, now=timezone.now())
    assert client.delete(f"{JOBS}/{job.pk}").status_code == 204
    owed.refresh_from_db()
    assert (owed.status, owed.last_error) == ("failed", "The job was deleted before this was sent.")
