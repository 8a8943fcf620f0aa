"""HTTP Basic: what a page of another site may not do with it, and how many passwords may be tried."""

import base64
import time
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from tests.api.conftest import JOBS, PASSWORD, form


def basic(password: str = PASSWORD, *, name: str = "boss") -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def browser(boss: User) -> APIClient:
    """Has kept the password."""
    client = APIClient(raise_request_exception=False)
    client.credentials(**basic())
    return client


FOREIGN = [
    {"HTTP_SEC_FETCH_SITE": "cross-site"},
    {"HTTP_SEC_FETCH_SITE": "same-site"},
    {"HTTP_ORIGIN": "https://evil.example.com"},
    {"HTTP_ORIGIN": "null"},
    {"HTTP_SEC_FETCH_SITE": "none", "HTTP_ORIGIN": "http://testserver:81"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_form_of_another_site_is_refused(browser: APIClient, headers: dict[str, Any]) -> None:
    answer = browser.post(JOBS, form(), format="multipart", **headers)
    assert (answer.status_code, "another site" in answer.json()["detail"]) == (403, True)
    assert not CustomCheckJob.objects.exists()


@pytest.mark.parametrize("headers", FOREIGN)
def test_no_token_is_made_for_another_site(browser: APIClient, headers: dict[str, Any]) -> None:
    assert browser.post("/api/tokens", **headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"HTTP_SEC_FETCH_SITE": "none"}, {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "http://testserver"}],
)
def test_what_comes_from_ourselves_or_no_page_is_served(browser: APIClient, headers: dict[str, Any]) -> None:
    assert browser.post(JOBS, form(), format="multipart", **headers).status_code == 201


def test_another_site_may_link_here(browser: APIClient) -> None:
    assert browser.get(JOBS, HTTP_SEC_FETCH_SITE="cross-site").status_code == 200


@pytest.fixture
def guessed(boss: User) -> APIClient:
    """Somebody has tried as many passwords as may be tried."""
    client = APIClient(raise_request_exception=False)
    codes = [
        client.get(JOBS, **basic(f"guess {number}")).status_code for number in range(settings.TECKO_LOGIN_ATTEMPTS)
    ]
    assert codes == [401] * settings.TECKO_LOGIN_ATTEMPTS
    return client


def test_guessing_is_locked_out(guessed: APIClient) -> None:
    answer = guessed.get(JOBS, **basic())
    assert (answer.status_code, answer.json()["detail"][:9]) == (429, "Too many ")
    assert 0 < int(answer.headers["Retry-After"]) <= settings.TECKO_LOGIN_LOCKOUT_SECONDS


def test_other_names_and_other_addresses_are_not_locked_out(guessed: APIClient) -> None:
    User.objects.create_superuser("other", password=PASSWORD)
    assert guessed.get(JOBS, **basic(name="other")).status_code == 200
    assert guessed.get(JOBS, **basic(), REMOTE_ADDR="192.0.2.7").status_code == 200


def test_the_login_page_is_locked_too(guessed: APIClient) -> None:
    answer = guessed.post("/admin/login/", {"username": "boss", "password": PASSWORD}, format="multipart")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(settings.TECKO_LOGIN_LOCKOUT_SECONDS))
    assert "_auth_user_id" not in guessed.session


def test_what_is_guessed_on_the_login_page_locks_the_api(boss: User) -> None:
    client = APIClient(raise_request_exception=False)
    for number in range(settings.TECKO_LOGIN_ATTEMPTS):
        client.post("/admin/login/", {"username": "boss", "password": f"guess {number}"}, format="multipart")
    assert client.get(JOBS, **basic()).status_code == 429


def test_who_knows_the_password_is_let_in_before(boss: User) -> None:
    client = APIClient(raise_request_exception=False)
    for number in range(settings.TECKO_LOGIN_ATTEMPTS - 1):
        client.get(JOBS, **basic(f"guess {number}"))
    assert client.get(JOBS, **basic()).status_code == 200


def test_after_the_lock_out_it_may_be_tried_again(guessed: APIClient) -> None:
    with time_machine.travel(time.time() + settings.TECKO_LOGIN_LOCKOUT_SECONDS + 1):
        assert guessed.get(JOBS, **basic()).status_code == 200


def test_a_lock_can_be_lifted(guessed: APIClient) -> None:
    call_command("axes_reset_ip_username", "127.0.0.1", "boss", verbosity=0)
    assert guessed.get(JOBS, **basic()).status_code == 200
