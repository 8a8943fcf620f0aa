"""Deliveries in the admin: attempts, sending again, sending a test."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob
from polling.outbox.deliveries import Delivery, DeliveryStatus, Outcome
from tests.admin.conftest import HOSTILE, make_delivery

MakeJob = Callable[..., CustomCheckJob]
LIST = reverse("admin:polling_delivery_changelist")
JOBS = reverse("admin:customchecks_customcheckjob_changelist")


@pytest.fixture
def gone(make_job: MakeJob) -> Delivery:
    delivery = make_delivery(make_job())
    outcome = Outcome(started_at=timezone.now(), duration_ms=5, status_code=410, answer=HOSTILE)
    delivery.settle(outcome, now=timezone.now())
    return delivery


def post(browser: Client, url: str, action: str, pk: object) -> str:
    sent = browser.post(url, {"action": action, "_selected_action": str(pk)}, follow=True)
    return str(sent.content.decode())


def test_a_delivery_shows_its_attempts_and_runs_nothing_of_them(browser: Client, gone: Delivery) -> None:
    page = browser.get(reverse("admin:polling_delivery_change", args=[gone.pk])).content.decode()
    assert "410" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;alert" in page


def test_the_list_has_the_status_before_the_url(browser: Client, gone: Delivery) -> None:
    page = browser.get(LIST).content.decode()
    assert page.index("column-status") < page.index("column-url")


def test_every_page_of_the_admin_names_the_product(browser: Client, db: None) -> None:
    page = browser.get(LIST).content.decode()
    assert "Django administration" not in page
    assert page.count("TeckoChecker") >= 2


def test_a_delivery_is_sent_again_by_a_post(browser: Client, gone: Delivery) -> None:
    assert "is sent again" in post(browser, LIST, "resend", gone.pk)
    gone.refresh_from_db()
    assert gone.status == DeliveryStatus.PENDING
    assert "still pending" in post(browser, LIST, "resend", gone.pk)


def test_who_may_only_look_cannot_send_again(browser: Client, gone: Delivery) -> None:
    looking = User.objects.create_user("looking", is_staff=True)
    looking.user_permissions.set(Permission.objects.filter(codename="view_delivery"))
    browser.force_login(looking)
    post(browser, LIST, "resend", gone.pk)
    gone.refresh_from_db()
    assert gone.status == DeliveryStatus.GONE


def test_a_test_is_sent_from_the_jobs(browser: Client, make_job: MakeJob) -> None:
    job = make_job(webhook_url="https://hooks.example.com/in")
    assert "is sent" in post(browser, JOBS, "send_test", job.pk)
    assert Delivery.objects.get().test


def test_a_job_without_a_webhook_says_so(browser: Client, make_job: MakeJob) -> None:
    assert "has no webhook" in post(browser, JOBS, "send_test", make_job().pk)
