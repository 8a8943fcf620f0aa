"""The admin's first page says what waits for somebody, leads there, and is silent where nothing does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob
from polling.outbox.deliveries import Delivery, Outcome
from tests.admin.conftest import make_delivery

MakeJob = Callable[..., CustomCheckJob]
FIRST = reverse("admin:index")
LIST = reverse("admin:polling_delivery_changelist")
UNSEEN = f"{LIST}?unseen__exact=1"


@pytest.fixture
def lost(make_job: MakeJob) -> Delivery:
    delivery = make_delivery(make_job(name="lost one"))
    now = timezone.now()
    delivery.settle(Outcome(started_at=now, duration_ms=5, status_code=400), now=now)
    return delivery


def page(browser: Client, url: str) -> str:
    return str(browser.get(url).content.decode())


def test_nothing_needs_attention_where_nothing_went_wrong(browser: Client, make_job: MakeJob) -> None:
    make_delivery(make_job())
    assert "Needs attention" not in page(browser, FIRST)


def test_scripts_that_may_run_unprotected_are_told_of_in_red(browser: Client, settings: Any) -> None:
    assert "errornote" not in page(browser, FIRST)
    settings.TECKO_UNPROTECTED_NETWORK = True
    assert "TECKO_UNPROTECTED_NETWORK is yes" in page(browser, FIRST).partition('class="errornote"')[2]


def test_a_call_that_was_not_delivered_is_counted_and_led_to(
    browser: Client, lost: Delivery, make_job: MakeJob
) -> None:
    make_delivery(make_job(name="still waiting"))
    assert f'<a href="{UNSEEN}">1 call not delivered, and not tried again</a>' in page(browser, FIRST)
    listed = page(browser, UNSEEN)
    assert "lost one" in listed
    assert "still waiting" not in listed


@pytest.mark.parametrize("action", ["resend", "mark_as_seen"])
def test_it_is_counted_until_it_is_sent_again_or_marked_as_seen(browser: Client, lost: Delivery, action: str) -> None:
    browser.post(LIST, {"action": action, "_selected_action": str(lost.pk)})
    assert "Needs attention" not in page(browser, FIRST)


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"status": "failed"}, "1 custom check job given up"),
        ({"alerting": True}, "1 custom check job with one error after another"),
    ],
    ids=str,
)
def test_a_job_that_ended_or_errs_with_nobody_told_is_led_to(
    browser: Client, make_job: MakeJob, columns: dict[str, Any], text: str
) -> None:
    make_job(name="in trouble", **columns)
    make_job(name="well")
    shown = page(browser, FIRST)
    (url,) = [line.split('"')[1] for line in shown.splitlines() if text in line]
    listed = page(browser, url.replace("&amp;", "&"))
    assert "in trouble" in listed
    assert ">well<" not in listed


@pytest.mark.parametrize(("address", "said"), [("", True), ("https://alerts.example.com/x", False)])
def test_it_says_that_nobody_is_told_where_the_operator_has_no_address(
    browser: Client, lost: Delivery, settings: Any, address: str, said: bool
) -> None:
    settings.TECKO_ALERT_URL = address
    assert ("TECKO_ALERT_URL is not set" in page(browser, FIRST)) is said


@pytest.mark.parametrize(("role", "told"), [(None, False), ("viewer", True)])
def test_it_is_told_to_whom_may_see_the_list(browser: Client, lost: Delivery, role: str | None, told: bool) -> None:
    user = User.objects.create_user("somebody", is_staff=True)
    if role:
        user.groups.add(Group.objects.get(name=role))
    browser.force_login(user)
    assert ("Needs attention" in page(browser, FIRST)) is told


def test_who_may_only_look_marks_nothing_as_seen(browser: Client, lost: Delivery) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    browser.force_login(user)
    browser.post(LIST, {"action": "mark_as_seen", "_selected_action": str(lost.pk)})
    assert Delivery.objects.get(unseen=True) == lost
