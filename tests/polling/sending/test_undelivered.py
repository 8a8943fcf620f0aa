"""A call that has failed for good tells somebody: once, in the transaction in which it ends, and never in a circle."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from customchecks.jobs.models import CustomCheckJob
from polling.channels import keboola
from polling.jobs.groups import JobGroup
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome
from polling.sending import attempts, undelivered
from tests.factories import make_job
from tests.polling.sending.couriers import client, owe

pytestmark = pytest.mark.django_db

OPERATOR = "https://alerts.example.com/operator"
THEIRS = "https://alerts.example.com/job"


def draft(url: str = "https://hooks.example.com/", **options: Any) -> DeliveryDraft:
    return DeliveryDraft(
        channel="webhook", event="check.ended", url=url, method="POST", payload={"check_status": "FAILED"}, **options
    )


def lose(delivery: Delivery, *, code: int | None = 400, unknown: bool = False) -> None:
    now = timezone.now()
    error = f"The receiver answered {code}."
    attempts.settle(
        delivery, Outcome(started_at=now, duration_ms=1, status_code=code, error=error, unknown=unknown), now=now
    )


def alerts() -> list[Delivery]:
    return list(Delivery.objects.filter(event=undelivered.EVENT).order_by("created_at"))


@pytest.fixture
def operator(settings: Any) -> str:
    settings.TECKO_ALERT_URL = OPERATOR
    return OPERATOR


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"code": 400}, "delivery_failed"),
        ({"code": 410}, "delivery_gone"),
        ({"code": None, "unknown": True}, "delivery_unknown"),
    ],
    ids=str,
)
def test_the_operator_is_told_what_was_not_delivered_and_why(operator: str, how: Any, cause: str) -> None:
    job = make_job(webhook_url="https://hooks.example.com/")
    lost = Delivery.objects.open(draft(), job=job, now=timezone.now())
    lose(lost, **how)
    (alert,) = alerts()
    told = json.loads(alert.body)
    assert (alert.url, alert.method, alert.status) == (operator, "POST", "pending")
    assert (told["event"], told["cause"], told["check_status"]) == ("delivery.failed", cause, "FAILED")
    assert (told["job_kind"], told["job_id"], told["job_name"]) == ("custom", job.pk, "nightly")
    assert told["undelivered"]["delivery_id"] == str(lost.pk)
    assert told["undelivered"]["url"] == "https://hooks.example.com/"
    assert "https://hooks.example.com/ was not delivered" in told["check_message"]
    assert told["delivery_id"] == str(alert.pk)


def test_it_tells_once_after_the_last_attempt_and_not_before(operator: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data(status=500)
    delivery, now = owe(httpserver.url_for("/")), timezone.now()
    for _ in range(10):
        assert alerts() == []
        Delivery.objects.filter(pk=delivery.pk).update(next_attempt_at=now)
        (claimed,) = Delivery.objects.claim([delivery.pk], now=now)
        attempts.attempt(claimed, client())
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, len(alerts())) == ("failed", 10, 1)


def test_the_jobs_own_address_comes_first_signed_with_its_keys(operator: str) -> None:
    job = make_job(webhook_url="https://hooks.example.com/", alert_url=THEIRS)
    lose(Delivery.objects.open(draft(signing_secrets=["secret_ref:key"]), job=job, now=timezone.now()))
    (alert,) = alerts()
    assert (alert.url, alert.signing_secrets) == (THEIRS, ["secret_ref:key"])


def test_an_address_that_failed_is_told_nothing_and_the_circle_ends_at_the_operator(operator: str) -> None:
    job = make_job(webhook_url=THEIRS, alert_url=THEIRS)
    lose(Delivery.objects.open(draft(THEIRS), job=job, now=timezone.now()))
    (first,) = alerts()
    assert first.url == OPERATOR
    lose(first)
    assert len(alerts()) == 1


def test_an_alert_that_the_jobs_address_does_not_take_goes_to_the_operator_unsigned(operator: str) -> None:
    job = make_job(webhook_url="https://hooks.example.com/", alert_url=THEIRS)
    lose(Delivery.objects.open(draft(signing_secrets=["secret_ref:key"]), job=job, now=timezone.now()))
    lose(alerts()[0])
    assert [alert.url for alert in alerts()] == [THEIRS, OPERATOR]
    assert alerts()[1].signing_secrets == []
    lose(alerts()[1])
    assert len(alerts()) == 2


def test_two_calls_of_one_cycle_are_told_of_each(operator: str) -> None:
    job = make_job()
    lose(Delivery.objects.open(draft(), job=job, now=timezone.now()))
    lose(Delivery.objects.open(draft(occurrence=2), job=job, now=timezone.now()))
    assert len({alert.about for alert in alerts()}) == 2


def test_a_call_that_is_sent_again_and_fails_again_is_told_of_again(operator: str) -> None:
    delivery = Delivery.objects.open(draft(), job=make_job(), now=timezone.now())
    lose(delivery)
    delivery.resend()
    lose(delivery)
    assert [alert.occurrence for alert in alerts()] == [1, 2]


def test_a_group_whose_call_fails_tells_the_operator(operator: str) -> None:
    now = timezone.now()
    group = JobGroup.objects.create(name="both", webhook_url="https://hooks.example.com/", deadline_at=now)
    lose(Delivery.objects.open(draft(), job=group, now=now))
    assert json.loads(alerts()[0].body)["job_kind"] == "group"


def test_a_keboola_start_of_a_job_that_was_restarted_since_tells_the_operator(
    operator: str, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/jobs").respond_with_data(status=403)
    job, now = make_job(), timezone.now()
    start = DeliveryDraft(
        channel=keboola.NAME, event=keboola.EVENT, url=httpserver.url_for("/jobs"), method="POST", payload={}
    )
    delivery = Delivery.objects.open(start, job=job, now=now)
    CustomCheckJob.objects.update(cycle=2)
    (claimed,) = Delivery.objects.claim([delivery.pk], now=now)
    attempts.attempt(claimed, client())
    (alert,) = alerts()
    assert json.loads(alert.body)["check_message"].endswith("Keboola answered 403.")


def test_the_call_and_its_alert_end_together_or_not_at_all(operator: str) -> None:
    delivery, now = Delivery.objects.open(draft(), job=make_job(), now=timezone.now()), timezone.now()
    taken = DeliveryDraft(
        channel="webhook",
        event=undelivered.EVENT,
        url=OPERATOR,
        method="POST",
        payload={},
        about=delivery.pk,
    )
    Delivery.objects.open(taken, job=make_job(), now=now)  # so that the alert cannot be stored
    with pytest.raises(Exception, match="about"):
        lose(delivery)
    assert (Delivery.objects.get(pk=delivery.pk).status, len(alerts())) == ("pending", 1)


def test_a_test_that_fails_tells_nobody_but_whoever_made_it(operator: str) -> None:
    delivery = Delivery.objects.open(draft(test=True), job=make_job(), now=timezone.now())
    lose(delivery)
    assert (alerts(), undelivered.unseen()) == ([], 0)


def test_without_any_address_it_is_counted_until_somebody_acts(settings: Any) -> None:
    settings.TECKO_ALERT_URL = ""
    job, now = make_job(), timezone.now()
    resent, given_up = (Delivery.objects.open(draft(occurrence=number), job=job, now=now) for number in (1, 2))
    lose(resent)
    lose(given_up)
    assert (alerts(), undelivered.unseen()) == ([], 2)
    resent.resend()
    assert undelivered.unseen() == 1
    Delivery.objects.give_up(job_kind=job.kind, job_id=job.pk, reason="The job was deleted.")
    assert undelivered.unseen() == 0


def test_what_was_delivered_is_not_counted(operator: str) -> None:
    delivery: Delivery = Delivery.objects.open(draft(), job=make_job(), now=timezone.now())
    lose(delivery, code=200)
    assert (alerts(), undelivered.unseen()) == ([], 0)


def test_what_may_still_be_delivered_is_not_counted(operator: str) -> None:
    delivery, now = Delivery.objects.open(draft(), job=make_job(), now=timezone.now()), timezone.now()
    attempts.settle(delivery, Outcome(started_at=now, duration_ms=1, retry=True), now=now)
    assert (alerts(), undelivered.unseen()) == ([], 0)
    assert isinstance(delivery.next_attempt_at, datetime)
    assert delivery.next_attempt_at < now + timedelta(minutes=1)
