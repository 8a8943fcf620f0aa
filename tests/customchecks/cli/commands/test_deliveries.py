"""``customcheck deliveries``."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from customchecks.cli.support.exit_codes import Exit
from customchecks.jobs.models import CustomCheckJob
from polling.base.results import CheckResult, Verdict
from polling.outbox.deliveries import Delivery, Outcome
from tests.customchecks.cli.conftest import Cli, Ended

UNKNOWN = "0b9c1f9e-4a53-4b8c-9a3c-6d1d3f7c2e11"


@pytest.fixture
def job(make_job: Callable[..., CustomCheckJob]) -> CustomCheckJob:
    return make_job(webhook_url="https://hooks.example.com/in")


def test_a_test_is_sent_listed_and_sent_again(cli: Cli, here: Callable[..., Ended], job: CustomCheckJob) -> None:
    sent = cli("deliveries", "test", "nightly")
    delivery = Delivery.objects.get()
    assert (sent.code, sent.out.strip(), delivery.test) == (Exit.OK, str(delivery.pk), True)
    assert here("deliveries", "resend", str(delivery.pk)).code == Exit.ERROR
    delivery.settle(Outcome(started_at=timezone.now(), duration_ms=1, status_code=400), now=timezone.now())
    assert str(delivery.pk) in here("deliveries", "list", "--status", "failed", "--job", "nightly").out
    assert here("deliveries", "resend", str(delivery.pk), "--json").json["status"] == "pending"


def test_what_was_not_delivered_is_a_warning_of_doctor_and_a_list_of_its_own(
    here: Callable[..., Ended], job: CustomCheckJob
) -> None:
    assert deliveries_in(here("doctor", "--json"))["level"] == "ok"
    lost, waiting = (
        Delivery.objects.open(dataclasses.replace(draft, occurrence=number), job=job, now=timezone.now())
        for draft in job.deliveries(CheckResult(verdict=Verdict.SUCCESS), timezone.now())
        for number in (1, 2)
    )
    lost.settle(Outcome(started_at=timezone.now(), duration_ms=1, status_code=410), now=timezone.now())
    found = deliveries_in(here("doctor", "--json"))
    assert (found["level"], found["detail"][:2]) == ("warning", "1 ")
    assert "TECKO_ALERT_URL" in found["remedy"]
    listed = here("deliveries", "list", "--unseen").out
    assert (str(lost.pk) in listed, str(waiting.pk) in listed) == (True, False)


def deliveries_in(doctor: Ended) -> dict[str, str]:
    (found,) = [finding for finding in doctor.json["findings"] if finding["name"] == "deliveries"]
    return dict(found)


@pytest.mark.parametrize("words", [("resend", UNKNOWN), ("resend", "x"), ("test", "nobody")])
def test_what_is_not_there_is_told(here: Callable[..., Any], words: tuple[str, ...]) -> None:
    assert here("deliveries", *words).code == Exit.NOT_FOUND


def test_a_job_without_a_webhook_has_nothing_to_test(
    here: Callable[..., Ended], make_job: Callable[..., CustomCheckJob]
) -> None:
    make_job()
    ended = here("deliveries", "test", "nightly")
    assert (ended.code, "webhook_url" in ended.err) == (Exit.ERROR, True)
