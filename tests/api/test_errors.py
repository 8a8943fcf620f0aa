"""Whatever goes wrong below /api is JSON with a sentence."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from tests.api.conftest import JOBS, upload
from tests.api.test_access import routes


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/custom-checks/1/nothing", "/api//", "/metrics/x"]
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_an_unknown_path_is_json(client: APIClient, path: str, accept: str) -> None:
    answer = client.get(path, HTTP_ACCEPT=accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("delete", JOBS), ("put", JOBS), ("trace", JOBS), ("post", f"{JOBS}/1"), ("get", f"{JOBS}/1/trigger")),
        *(("post", "/api/health"), ("put", "/api/tokens"), ("post", "/api/deliveries"), ("post", "/metrics")),
    ],
)
def test_a_method_that_is_not_there_is_405(client: APIClient, method: str, path: str) -> None:
    answer = client.generic(method.upper(), path)
    assert answer.status_code == 405
    assert answer.json()["detail"]


def test_a_host_that_is_not_ours_is_json(client: APIClient) -> None:
    answer = client.get(JOBS, HTTP_HOST="evil.example.com")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json")


def test_pages_keep_their_own_errors(db: None) -> None:
    answer = Client().get("/nothing")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")


def test_our_own_faults_are_a_sentence_without_a_traceback(
    client: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    create_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE custom_check_jobs SET claim_id = 'no number'")
    answer = client.get(JOBS)
    assert answer.status_code == 500
    assert list(answer.json()) == ["detail"]
    assert "no number" not in answer.content.decode()


def test_a_database_without_its_tables_is_503(client: APIClient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE custom_check_jobs RENAME TO gone")
    answer = client.get(JOBS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.json() == {"detail": "The database has not been prepared."}


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1, 12 * 1024 * 1024])
def test_a_script_over_10_mb_is_413(client: APIClient, size: int) -> None:
    answer = client.post(JOBS, {"config": "{}", "script": upload(bytes(size))}, format="multipart")
    assert answer.status_code == 413
    assert "10 MB" in answer.json()["detail"]


def test_a_script_of_10_mb_is_read(client: APIClient) -> None:
    answer = client.post(JOBS, {"config": "{}", "script": upload(bytes(10 * 1024 * 1024))}, format="multipart")
    assert answer.status_code == 400
    assert "script" in answer.json()["errors"]


def test_json_over_2_mb_is_413(client: APIClient) -> None:
    answer = client.post(JOBS, {"name": "x" * (2 * 1024 * 1024)})
    assert answer.status_code == 413
    assert answer.json()["detail"]


def test_a_config_over_2_mb_is_413(client: APIClient) -> None:
    answer = client.post(JOBS, {"config": "x" * (2 * 1024 * 1024 + 1)}, format="multipart")
    assert answer.status_code == 413


def test_a_large_script_of_a_session_is_413_too(boss: User) -> None:
    client = APIClient(raise_request_exception=False, enforce_csrf_checks=True)
    client.force_login(boss)
    client.cookies["csrftoken"] = "a" * 32
    parts: dict[str, Any] = {"config": "{}", "script": upload(bytes(10 * 1024 * 1024 + 1))}
    assert client.post(JOBS, parts, format="multipart", HTTP_X_CSRFTOKEN="a" * 32).status_code == 413


def test_a_length_beyond_the_limit_is_refused_unread(client: APIClient) -> None:
    answer = client.generic("POST", JOBS, b"", content_type="application/json", CONTENT_LENGTH=str(10**9))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", list(routes()))
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_every_path_tells_its_options(client: APIClient, path: str, accept: str) -> None:
    answer = client.options(f"/{path}", HTTP_ACCEPT=accept)
    assert answer.status_code in (200, 404), answer.content
    assert answer.headers["Allow"]


def test_options_say_what_each_method_does(client: APIClient) -> None:
    assert client.options(JOBS).json() == {"methods": {"GET": "List jobs", "POST": "Create a job"}}
