"""The API in a browser is pages with forms; for everybody else it is JSON."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from secrets_app.access.models import ApiToken, Scope
from tests.api.conftest import JOBS, config, form
from tests.api.test_access import routes
from tests.polling.sweep.leases import on_duty

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
OTHERS = ["", "*/*", "application/json", "application/json, text/html", "text/csv", "nonsense"]


@pytest.fixture
def browser(boss: User) -> APIClient:
    client = APIClient(raise_request_exception=False, enforce_csrf_checks=True, HTTP_ACCEPT=BROWSER)
    client.force_login(boss)
    return client


def raw_forms(answer: Any) -> list[Any]:
    """What is in the forms for JSON, from top to bottom."""
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    found = re.findall(r'<textarea name="_content".*?>(.*?)</textarea>', answer.content.decode(), re.DOTALL)
    return [json.loads(unescape(text)) if text.strip() else None for text in found]


@pytest.mark.parametrize("accept", OTHERS)
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/999", f"{JOBS}/1/pause", "/api/schema", "/api/stats", "/api/nothing"])
def test_who_is_no_browser_gets_json(client: APIClient, path: str, accept: str) -> None:
    answer = client.get(path, HTTP_ACCEPT=accept)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()


def test_who_has_a_token_is_no_browser(boss: User) -> None:
    _, token = ApiToken.objects.create(boss, scope=Scope.READ)
    answer = APIClient().get(JOBS, HTTP_ACCEPT=BROWSER, HTTP_AUTHORIZATION=f"Token {token}")
    assert answer.headers["Content-Type"] == "application/json"


def test_a_path_that_is_not_there_is_json_in_a_browser_too(browser: APIClient) -> None:
    answer = browser.get("/api/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


def test_a_page_has_the_forms_of_its_calls_filled_in(
    browser: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    job = create_job(name="as it is")
    (new,) = raw_forms(browser.get(JOBS))
    assert new["script_source_type"] == "upload"
    (change,) = raw_forms(browser.get(f"{JOBS}/{job.pk}"))
    assert change["name"] == "as it is"
    assert set(change) == set(CustomCheckJob.declared.columns)
    assert raw_forms(browser.get(f"{JOBS}/{job.pk}/pause")) == [None]


def test_what_a_page_offers_for_a_change_can_be_sent_back(
    browser: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    path = f"{JOBS}/{create_job().pk}"
    page = browser.get(path)
    (change,) = raw_forms(page)
    token = browser.cookies["csrftoken"].value
    answer = browser.put(path, {**change, "poll_interval_seconds": 77}, format="json", HTTP_X_CSRFTOKEN=token)
    assert answer.status_code == 200
    assert raw_forms(answer)[0]["poll_interval_seconds"] == 77


def test_a_page_leads_to_the_rest_of_a_long_list(browser: APIClient, create_job: Callable[..., CustomCheckJob]) -> None:
    for name in ("one", "two", "three"):
        create_job(name=name)
    page = browser.get(JOBS, {"limit": 2}).content.decode()
    assert f"{JOBS}?limit=2&amp;offset=2" in page


def test_what_was_refused_stays_in_the_form(browser: APIClient) -> None:
    browser.get(JOBS)
    token = browser.cookies["csrftoken"].value
    answer = browser.post(JOBS, config(poll_interval_seconds=1), format="json", HTTP_X_CSRFTOKEN=token)
    assert answer.status_code == 400
    assert raw_forms(answer) == [config(poll_interval_seconds=1)]


@pytest.mark.parametrize(("name", "code"), [("", 400), ("fine", 201)])
def test_the_value_of_a_secret_does_not_come_back(browser: APIClient, name: str, code: int) -> None:
    browser.get("/api/admin/secrets")
    token = browser.cookies["csrftoken"].value
    body = {"name": name, "value": "canary-7Hq9/Zw"}
    answer = browser.post("/api/admin/secrets", body, format="json", HTTP_X_CSRFTOKEN=token)
    assert answer.status_code == code
    assert "canary" not in answer.content.decode()


def test_a_script_can_be_sent_with_the_form_of_a_page(browser: APIClient) -> None:
    page = browser.get(JOBS).content.decode()
    assert 'type="file" name="script"' in page
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    answer = browser.post(JOBS, {**form(), "csrfmiddlewaretoken": token}, format="multipart")
    assert answer.status_code == 201
    assert CustomCheckJob.objects.get().script_archive is not None


def test_a_form_without_a_chosen_file_and_what_it_held_is_understood(browser: APIClient) -> None:
    """Browsers send a part without a name and without content then."""
    page = browser.get(JOBS).content.decode()
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
    fields = {"config": json.dumps(config(name="kept", poll_interval_seconds=1)), "csrfmiddlewaretoken": token}
    refused = browser.post(JOBS, {**fields, "script": ""}, format="multipart")
    assert refused.status_code == 400
    assert "poll_interval_seconds" in refused.content.decode()
    assert "&quot;kept&quot;" in refused.content.decode()
    fields["config"] = json.dumps(config(name="kept"))
    assert browser.post(JOBS, {**fields, "script": ""}, format="multipart").status_code == 201


def test_a_form_of_another_site_changes_nothing(browser: APIClient) -> None:
    answer = browser.post(JOBS, form(), format="multipart")
    assert answer.status_code == 403
    assert not CustomCheckJob.objects.exists()


def test_a_page_has_no_forms_for_what_somebody_may_not_do(login: Callable[..., APIClient]) -> None:
    page = login("view_customcheckjob").get(JOBS, HTTP_ACCEPT=BROWSER)
    assert page.status_code == 200
    assert raw_forms(page) == []


def test_the_browser_is_told_to_load_from_here_only(browser: APIClient) -> None:
    assert "default-src 'none'" in browser.get(JOBS).headers["Content-Security-Policy"]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "</textarea><b>"])
def test_what_people_wrote_is_text_on_a_page(
    browser: APIClient, create_job: Callable[..., CustomCheckJob], text: str
) -> None:
    job = create_job(name=text)
    for path in (JOBS, f"{JOBS}/{job.pk}"):
        assert text not in browser.get(path).content.decode()


@pytest.mark.parametrize("path", list(routes()))
def test_what_a_path_does_not_do_is_a_page_in_a_browser_too(client: APIClient, path: str) -> None:
    answer = client.generic("TRACE", f"/{path}", HTTP_ACCEPT=BROWSER)
    assert answer.status_code == 405


@pytest.mark.parametrize("path", list(routes()))
def test_every_path_can_be_opened_in_a_browser(browser: APIClient, path: str) -> None:
    on_duty()  # else health is what answers 503
    assert browser.get(f"/{path}").status_code in (200, 404, 405)
