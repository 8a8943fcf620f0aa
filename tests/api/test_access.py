"""Who may: logins, tokens, permissions, and what a stranger is told."""

import base64
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from secrets_app.access.models import ApiToken
from secrets_app.models import Secret
from tests.api.conftest import JOBS, PASSWORD, config, form, upload

OPEN = "api/health"
NEED_A_LOGIN_ONLY = (OPEN, "api/tokens", "api/tokens/1", "metrics", "api/schema", "api/docs", "api/redoc")
METHODS = ("get", "post", "put", "patch", "delete", "options", "head")


def anonymous(**options: Any) -> APIClient:
    return APIClient(raise_request_exception=False, **options)


def basic(name: str = "boss", password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def routes() -> Iterator[str]:
    """Every path below /api and /metrics, with an id where one belongs."""
    for pattern in walk(get_resolver().url_patterns, ""):
        path = pattern.replace("^", "").replace("/?$", "").replace("(?P<pk>[0-9]{1,18})", "1")
        path = re.sub(r"\(\?P<(?:pk|check_id)>\[0-9a-f\].*\)", "00000000-0000-0000-0000-000000000000", path)
        path = path.replace("(?P<name>.+?)", "nightly")
        if path.startswith(("api/", "metrics")):
            yield path


def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)


def test_the_routes_are_seen() -> None:
    assert {OPEN, "api/custom-checks/1/logs", "api/admin/secrets/1", "metrics"} <= set(routes())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [path for path in routes() if path != OPEN])
def test_nothing_but_health_is_open(db: None, path: str, method: str) -> None:
    answer = getattr(anonymous(), method)(f"/{path}")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", [path for path in routes() if path not in NEED_A_LOGIN_ONLY])
def test_without_permissions_nothing_is_shown_or_done(login: Callable[..., APIClient], path: str, method: str) -> None:
    assert getattr(login(), method)(f"/{path}").status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        *("Token x", "Token", "Token a b", "Token \xff", "Basic", "Basic !!", "Basic eA==", "Bearer x", "x" * 8000),
        *(basic("boss", "wrong"), basic("bo\0ss"), basic("nobody"), basic("é", "ü")),
    ],
    ids=lambda header: ascii(header)[:20],
)
def test_a_wrong_login_is_401(boss: User, header: str) -> None:
    answer = anonymous().get(JOBS, HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer.json()["detail"]


def test_a_password_logs_in(boss: User) -> None:
    assert anonymous().get(JOBS, HTTP_AUTHORIZATION=basic()).status_code == 200


def test_a_disabled_user_is_nobody(boss: User) -> None:
    User.objects.update(is_active=False)
    assert anonymous().get(JOBS, HTTP_AUTHORIZATION=basic()).status_code == 401


def test_a_session_reads_without_a_csrf_token_and_writes_only_with_it(boss: User) -> None:
    client = anonymous(enforce_csrf_checks=True)
    client.force_login(boss)
    assert client.get(JOBS).status_code == 200
    refused = client.post(JOBS, config())
    assert (refused.status_code, "CSRF" in refused.json()["detail"]) == (403, True)
    client.cookies["csrftoken"] = "a" * 32
    assert client.post(JOBS, config(), HTTP_X_CSRFTOKEN="a" * 32).status_code == 201
    assert client.post(JOBS, form(), format="multipart", HTTP_X_CSRFTOKEN="a" * 32).status_code == 201


def test_a_token_is_shown_once_and_stored_as_a_hash(boss: User) -> None:
    answer = anonymous().post("/api/tokens", HTTP_AUTHORIZATION=basic())
    token = answer.json()["token"]
    assert answer.status_code == 201
    assert token.startswith("tck_")
    stored = ApiToken.objects.get()
    assert token not in (stored.digest, stored.token_key)
    assert timedelta(days=89) < stored.expiry - timezone.now() < timedelta(days=91)


def test_a_token_logs_in_until_it_is_revoked(boss: User) -> None:
    client = anonymous()
    client.credentials(HTTP_AUTHORIZATION=f"Token {ApiToken.objects.create(boss)[1]}")
    _, other = ApiToken.objects.create(boss)
    assert client.get(JOBS).status_code == 200
    assert client.delete("/api/tokens").status_code == 204
    assert client.get(JOBS).status_code == 401
    assert anonymous().get(JOBS, HTTP_AUTHORIZATION=f"Token {other}").status_code == 200


def test_an_expired_token_is_nobodys(boss: User) -> None:
    _, token = ApiToken.objects.create(boss, expiry=timedelta(seconds=-1))
    assert anonymous().get(JOBS, HTTP_AUTHORIZATION=f"Token {token}").status_code == 401


def test_a_token_makes_no_tokens(boss: User) -> None:
    _, token = ApiToken.objects.create(boss)
    assert anonymous().post("/api/tokens", HTTP_AUTHORIZATION=f"Token {token}").status_code == 401


def test_a_token_takes_no_fields(boss: User) -> None:
    answer = anonymous().post("/api/tokens/", {"expiry": None}, HTTP_AUTHORIZATION=basic())
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["expiry"])


VERBS = ("pause", "resume", "trigger", "restart")


@pytest.mark.parametrize(
    ("permission", "method", "tail", "code"),
    [
        ("view_customcheckjob", "get", "", 200),
        ("view_customcheckjob", "post", "/trigger", 403),
        ("view_customcheckjob", "delete", "", 403),
        ("view_customcheckjob", "get", "/logs", 403),
        ("view_customchecklog", "get", "/logs", 200),
        ("add_customcheckjob", "get", "", 403),
        *(("add_customcheckjob", "post", f"/{verb}", 403) for verb in (*VERBS, "script/upload")),
        ("change_customcheckjob", "post", "/pause", 200),
        ("change_customcheckjob", "post", "/trigger", 202),
        ("change_customcheckjob", "post", "/resume", 409),
        ("change_customcheckjob", "post", "/restart", 409),
        ("change_customcheckjob", "put", "", 200),
        ("change_customcheckjob", "delete", "", 403),
        ("delete_customcheckjob", "delete", "", 204),
    ],
)
def test_each_call_needs_its_permission(
    login: Callable[..., APIClient],
    create_job: Callable[..., CustomCheckJob],
    permission: str,
    method: str,
    tail: str,
    code: int,
) -> None:
    path = f"{JOBS}/{create_job().pk}{tail}"
    assert getattr(login(permission), method)(path).status_code == code


def test_a_script_is_uploaded_by_who_may_change_the_job(
    login: Callable[..., APIClient], create_job: Callable[..., CustomCheckJob]
) -> None:
    path = f"{JOBS}/{create_job().pk}/script/upload"
    answer = login("change_customcheckjob").post(path, {"file": upload()}, format="multipart")
    assert answer.status_code == 200


@pytest.mark.parametrize("permission", ["view_secret", "add_secret", "change_secret", "delete_secret"])
def test_each_call_on_secrets_needs_its_permission(
    login: Callable[..., APIClient], make_secret: Callable[..., Secret], permission: str
) -> None:
    client, path = login(permission), f"/api/admin/secrets/{make_secret('gemini').pk}"
    codes = {
        "view_secret": client.get(path).status_code,
        "add_secret": client.post("/api/admin/secrets", {"name": "n", "value": "long enough"}).status_code,
        "change_secret": client.put(path, {"value": "long enough"}).status_code,
        "delete_secret": client.delete(path).status_code,
    }
    assert {name for name, code in codes.items() if code != 403} == {permission}
