"""The pages of the API in a real browser: they work, and load nothing from elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from customchecks.jobs.models import CustomCheckJob
from secrets_app.models import Secret
from teckochecker.api import openapi
from tests.api.conftest import SCRIPT, config
from tests.factories import tgz

pytestmark = pytest.mark.browser
SLOW = 60_000  # milliseconds, on a loaded machine
Open = Callable[..., Any]


def test_swagger_ui_shows_every_call_and_makes_one(window: Open) -> None:
    calls = sum(len(item) for item in openapi.document()["paths"].values())
    with window("/api/docs") as shown:
        expect(shown.page.locator(".opblock")).to_have_count(calls, timeout=SLOW)
        call = shown.page.locator("#operations-Custom_checks-custom_checks_create")
        call.locator(".opblock-summary").click()
        call.get_by_role("button", name="Try it out").click()
        call.locator("textarea.body-param__text").fill(json.dumps(config(name="from swagger")))
        call.get_by_role("button", name="Execute").click()
        expect(call.locator(".live-responses-table .response-col_status").last).to_have_text("201", timeout=SLOW)
        shown.picture("swagger")
        assert shown.refused == set()
    assert CustomCheckJob.objects.get().name == "from swagger"


def test_redoc_shows_every_call(window: Open) -> None:
    summaries = {call["summary"] for item in openapi.document()["paths"].values() for call in item.values()}
    with window("/api/redoc") as shown:
        expect(shown.page.get_by_role("heading", name="Create a job")).to_be_visible(timeout=SLOW)
        headings = set(shown.page.locator("h2").all_inner_texts())
        shown.picture("redoc")
        assert shown.refused == set()  # such as the logo of its maker
    assert summaries <= {heading.strip() for heading in headings}


def test_a_job_is_created_and_changed_with_the_forms_of_its_pages(window: Open) -> None:
    with window("/api/custom-checks") as shown:
        page = shown.page
        page.locator("a[name=raw-tab]").first.click()
        page.locator("#post-generic-content-form textarea").fill(json.dumps(config(name="from a page")))
        page.locator("#post-generic-content-form button").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 201", timeout=SLOW)
        created = page.locator(".response-info").inner_text()
        number = int(created.split('"id": ')[1].split(",")[0])
        page.goto(f"/api/custom-checks/{number}")
        page.locator("a[name=raw-tab]").last.click()
        field = page.locator("#put-generic-content-form textarea")
        field.fill(json.dumps({**json.loads(field.input_value()), "name": "another name"}))
        shown.picture("browsable")
        page.locator("#put-generic-content-form button").first.click()
        expect(page.locator(".response-info")).to_contain_text("another name", timeout=SLOW)
    assert CustomCheckJob.objects.get().name == "another name"


def test_a_script_is_sent_with_the_form_of_a_page(window: Open, tmp_path: Path) -> None:
    script = tmp_path / "script.tgz"
    script.write_bytes(tgz(SCRIPT))
    with window("/api/custom-checks") as shown:
        page = shown.page
        page.locator("a[name=html-tab]").first.click()
        page.locator("#POST-config").fill(json.dumps(config(name="with a script")))
        page.locator("#POST-script").set_input_files(script)
        shown.picture("browsable-form")
        page.locator("#post-object-form button").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 201", timeout=SLOW)
    assert CustomCheckJob.objects.get().script_archive is not None


def test_whoever_gave_the_browser_a_password_can_use_the_forms(window: Open) -> None:
    with window("/api/admin/secrets", with_password=True) as shown:
        page = shown.page
        page.locator("textarea").fill(json.dumps({"name": "from a page", "value": "long enough"}))
        page.get_by_role("button", name="POST").click()
        expect(page.locator(".response-info")).to_contain_text("HTTP 201", timeout=SLOW)
    assert Secret.objects.get().name == "from a page"
