"""Reading, changing and asking things of jobs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customchecks.models import CustomCheckJob, CustomCheckLog
from polling.scheduling import JobStatus

pytestmark = pytest.mark.django_db
Create = Callable[..., Any]


@pytest.fixture
def job(create: Create) -> CustomCheckJob:
    return CustomCheckJob.objects.get(pk=create().json()["id"])


def log(job: CustomCheckJob, number: int) -> CustomCheckLog:
    created = timezone.now() - timedelta(minutes=60 - number)
    return CustomCheckLog.objects.create(
        job=job, check_id=f"{number:032x}", cycle=1, status="pending", message=f"m{number}", created_at=created
    )


@pytest.mark.parametrize("slash", ["", "/"])
def test_lists_come_in_their_envelope(client: APIClient, job: CustomCheckJob, slash: str) -> None:
    answer = client.get(f"/api/custom-checks{slash}").json()
    assert [each["id"] for each in answer["jobs"]] == [job.pk]
    assert (answer["total"], answer["limit"], answer["offset"]) == (1, 100, 0)


def test_logs_come_newest_first_and_in_pages(client: APIClient, job: CustomCheckJob) -> None:
    for number in range(5):
        log(job, number)
    answer = client.get(f"/api/custom-checks/{job.pk}/logs?limit=2&offset=1").json()
    assert [each["message"] for each in answer["logs"]] == ["m3", "m2"]
    assert answer["total"] == 5


def test_a_list_takes_the_same_queries_for_one_job_and_for_many(
    client: APIClient, create: Create, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        create()
    with django_assert_num_queries(2):
        client.get("/api/custom-checks")


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "offset=-1", "status=odd", "limit=%00"])
def test_a_wrong_query_is_refused(client: APIClient, query: str) -> None:
    assert client.get(f"/api/custom-checks?{query}").status_code == 400


@pytest.mark.parametrize("odd", ["999999", "1 OR 1=1", "../1", "0x1", "9" * 30, "nonsense"])
def test_an_unknown_job_is_not_found_as_json(client: APIClient, odd: str) -> None:
    answer = client.get(f"/api/custom-checks/{odd}")
    assert answer.status_code == 404
    assert answer.json()["detail"]


@pytest.mark.parametrize(("verb", "status"), [("pause", "paused"), ("trigger", "active")])
def test_a_verb_does_what_it_says(client: APIClient, job: CustomCheckJob, verb: str, status: str) -> None:
    answer = client.post(f"/api/custom-checks/{job.pk}/{verb}")
    assert answer.status_code == 200
    assert answer.json()["job_id"] == job.pk
    job.refresh_from_db()
    assert job.status == status


@pytest.mark.parametrize("verb", ["resume", "restart"])
def test_a_wrong_transition_is_a_conflict_with_a_sentence(client: APIClient, job: CustomCheckJob, verb: str) -> None:
    answer = client.post(f"/api/custom-checks/{job.pk}/{verb}")
    assert answer.status_code == 409
    assert "cannot be" in answer.json()["detail"]


def test_a_change_saves_what_it_names_and_nothing_else(client: APIClient, job: CustomCheckJob) -> None:
    answer = client.put(
        f"/api/custom-checks/{job.pk}", {"name": "new", "webhook_url": "https://hooks.example.com/"}, format="json"
    )
    assert answer.status_code == 200, answer.json()
    assert (answer.json()["name"], answer.json()["script_runtime"]) == ("new", "python")
    emptied = client.put(f"/api/custom-checks/{job.pk}", {"webhook_url": None}, format="json")
    assert emptied.json()["webhook_url"] is None


def test_state_cannot_be_written(client: APIClient, job: CustomCheckJob) -> None:
    answer = client.put(f"/api/custom-checks/{job.pk}", {"status": "completed"}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["status"])


def test_a_new_interval_takes_effect_at_once(client: APIClient, job: CustomCheckJob) -> None:
    CustomCheckJob.objects.update(next_check_at=timezone.now() + timedelta(days=1), last_check_at=timezone.now())
    client.put(f"/api/custom-checks/{job.pk}", {"poll_interval_seconds": 30}, format="json")
    job.refresh_from_db()
    assert job.next_check_at is not None
    assert job.next_check_at < timezone.now() + timedelta(seconds=31)


def test_a_finished_job_is_deleted_with_its_logs(client: APIClient, job: CustomCheckJob) -> None:
    log(job, 1)
    CustomCheckJob.objects.update(status=JobStatus.COMPLETED)
    assert client.delete(f"/api/custom-checks/{job.pk}").status_code == 204
    assert not CustomCheckLog.objects.exists()


@pytest.mark.parametrize("path", ["/api/custom-checks", "/api/deliveries", "/api/admin/secrets", "/metrics"])
def test_nothing_but_health_is_open(path: str) -> None:
    anonymous = APIClient()
    assert anonymous.get(path).status_code == 401
    assert anonymous.get("/api/health").json()["status"] == "healthy"


def test_a_user_without_rights_sees_nothing(db: None) -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("nobody"))
    assert client.get("/api/custom-checks").status_code == 403


def test_token_basic_and_session_log_in(operator: User) -> None:
    _, token = AuthToken.objects.create(operator)
    with_token, with_basic, with_session = APIClient(), APIClient(), APIClient()
    with_token.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    with_basic.credentials(HTTP_AUTHORIZATION="Basic b3BlcmF0b3I6YSBsb25nIHBhc3N3b3Jk")
    with_session.login(username="operator", password="a long password")
    for client in (with_token, with_basic, with_session):
        assert client.get("/api/custom-checks").status_code == 200


def test_a_token_is_shown_once_and_can_be_revoked(operator: User) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Basic b3BlcmF0b3I6YSBsb25nIHBhc3N3b3Jk")
    token = client.post("/api/tokens").json()["token"]
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.delete("/api/tokens").status_code == 204
    assert client.get("/api/custom-checks").status_code == 401


def test_a_session_needs_its_csrf_token_to_write(operator: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.login(username="operator", password="a long password")
    assert client.post("/api/custom-checks", {}, format="json").status_code == 403


@pytest.mark.parametrize(("method", "status"), [("put", 405), ("delete", 405)])
def test_a_wrong_method_is_answered_in_json(client: APIClient, method: str, status: int) -> None:
    answer = getattr(client, method)("/api/custom-checks")
    assert (answer.status_code, "detail" in answer.json()) == (status, True)


def test_a_body_of_another_kind_is_answered_in_json(client: APIClient) -> None:
    answer = client.post("/api/custom-checks", "a=b", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, "detail" in answer.json()) == (415, True)


def test_a_broken_body_is_answered_in_json(client: APIClient) -> None:
    answer = client.post("/api/custom-checks", '{"a": ', content_type="application/json")
    assert (answer.status_code, "detail" in answer.json()) == (400, True)


def test_metrics_name_the_checks_and_the_jobs(client: APIClient, job: CustomCheckJob) -> None:
    text = client.get("/metrics").content.decode()
    assert 'jobs{kind="custom",status="active"} 1.0' in text
    assert "checks_in_flight" in text
