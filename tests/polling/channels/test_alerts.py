"""People are told once that a job errs, and once that it errs no more; on the scripted kind."""

import pytest
from django.db import IntegrityError

from polling.base.results import Cause, CheckResult, Verdict
from polling.outbox.deliveries import Delivery, DeliveryDraft
from tests.polling.jobs.scripted import ERROR, FAILED, NOW, PENDING, SUCCESS, answer, due_job

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> list[tuple[str, int]]:
    return list(Delivery.objects.order_by("created_at", "pk").values_list("event", "occurrence"))


def test_the_first_errors_are_told_to_nobody() -> None:
    answer(due_job(alert_after_errors=3), ERROR, ERROR, PENDING, ERROR, ERROR)
    assert told() == []


def test_one_alert_is_sent_however_long_the_errors_go_on() -> None:
    answer(due_job(alert_after_errors=3), *[ERROR] * 8)
    assert told() == [("alert", 1)]


def test_each_pair_of_alert_and_recovery_in_a_cycle_is_sent_once() -> None:
    answer(due_job(alert_after_errors=2), *[ERROR, ERROR, ERROR, PENDING, PENDING] * 3)
    assert sorted(told()) == [(event, number) for event in ("alert", "recovered") for number in (1, 2, 3)]


@pytest.mark.parametrize("result", [SUCCESS, FAILED])
def test_a_verdict_after_an_alert_is_a_recovery_too(result: CheckResult) -> None:
    answer(due_job(alert_after_errors=1), ERROR, result)
    assert sorted(told()) == [("alert", 1), ("check.ended", 1), ("recovered", 1)]


def test_a_job_that_is_given_up_is_not_also_reported_as_erring() -> None:
    answer(due_job(alert_after_errors=2, max_consecutive_errors=2), ERROR, ERROR)
    assert told() == [("check.ended", 1)]


def test_errors_of_ours_are_no_news_of_the_job() -> None:
    ours = CheckResult(verdict=Verdict.ERROR, cause=Cause.ENGINE_UNAVAILABLE)
    job = due_job(alert_after_errors=1)
    answer(job, ours, ours)
    assert told() == []
    answer(job, ERROR, ours)
    assert (told(), job.alerting) == ([("alert", 1)], True)


def test_a_job_without_the_setting_is_silent() -> None:
    answer(due_job(alert_after_errors=None), *[ERROR] * 8)
    assert told() == []


def test_a_new_cycle_has_alerts_of_its_own() -> None:
    job = due_job(alert_after_errors=1)
    answer(job, ERROR, SUCCESS)
    job.restart()
    answer(job, ERROR, PENDING, now=job.next_check_at or NOW)
    events = Delivery.objects.exclude(event="check.ended").values_list("cycle", "event", "occurrence")
    assert sorted(events) == [(cycle, event, 1) for cycle in (1, 2) for event in ("alert", "recovered")]


def test_the_database_takes_no_event_twice() -> None:
    job = due_job()
    draft = DeliveryDraft(
        channel="webhook", event="alert", url="https://hooks.example.com/", method="POST", payload={}, occurrence=2
    )
    Delivery.objects.open(draft, job=job, now=NOW)
    with pytest.raises(IntegrityError):
        Delivery.objects.open(draft, job=job, now=NOW)
