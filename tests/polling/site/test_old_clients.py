"""Clients of version 0.9.6, on the two libraries that there are clients on, against the real web server."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.utils import timezone

from polling.openai.models import PollingLog
from secrets_app.access.models import ApiToken, Scope
from tests.api import live
from tests.polling.site.walk import Walk
from tests.polling.sweep.leases import on_duty

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def web_server(processes: None, django_db_setup: None) -> Iterator[tuple[int, tuple[int, ...]]]:
    with live.web_server() as server:
        yield server


@pytest.fixture
def origin(web_server: tuple[int, tuple[int, ...]], transactional_db: None) -> str:
    return f"http://127.0.0.1:{web_server[0]}"


@pytest.fixture
def user(transactional_db: None) -> User:
    """With a hash that the server knows, which the tests' own is not."""
    user = User.objects.create_superuser("boss")
    hasher = PBKDF2PasswordHasher()
    user.password = hasher.encode(PASSWORD, hasher.salt())
    user.save()
    return user


def add_log(job_id: int) -> None:
    """As a check would."""
    PollingLog.objects.create(job_id=job_id, status="pending", message="0 of 2", created_at=timezone.now())


def test_a_client_on_requests_that_makes_itself_a_token(origin: str, user: User) -> None:
    login = (user.username, PASSWORD)
    made = requests.post(f"{origin}/api/tokens", json={"scope": "admin"}, auth=login, timeout=30)
    with requests.Session() as client:
        client.headers["Authorization"] = f"Token {made.json()['token']}"
        Walk(client, origin, add_log=add_log).everything()


def test_a_client_on_httpx_with_a_token(origin: str, user: User) -> None:
    _, token = ApiToken.objects.create(user, scope=Scope.ADMIN)
    with httpx.Client(headers={"Authorization": f"Token {token}"}, timeout=30) as client:
        Walk(client, origin, add_log=add_log).everything()


@pytest.mark.parametrize("library", [requests, httpx], ids=["requests", "httpx"])
def test_a_password_is_enough_for_a_call(origin: str, user: User, library: Any) -> None:
    answer = library.get(f"{origin}/api/jobs", auth=(user.username, PASSWORD), timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"jobs": [], "total": 0})


@pytest.mark.parametrize("library", [requests, httpx], ids=["requests", "httpx"])
def test_a_client_that_does_not_log_in_is_told_so(origin: str, library: Any) -> None:
    on_duty()
    codes = {path: library.get(f"{origin}{path}").status_code for path in ("/api/health", "/api/jobs", "/api/stats")}
    assert codes == {"/api/health": 200, "/api/jobs": 401, "/api/stats": 401}
