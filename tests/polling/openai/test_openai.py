"""A check asks about every batch that has not ended, and what it learns is stored with its verdict."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from polling.checks import alert_url, openai_url
from polling.jobs import claims
from polling.openai.batches import Batch
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from secrets_app.models import SecretGrant, SecretUse
from tests.polling.services import OPENAI_KEY, FakeOpenAI, Service, check, make_polling_job, serving

pytestmark = pytest.mark.django_db

SEQUENCES = [
    ["completed"],
    ["validating", "completed"],
    ["validating", "in_progress", "finalizing", "completed"],
    ["failed"],
    ["validating", "failed"],
    ["in_progress", "cancelling", "cancelled"],
    ["cancelled"],
    ["in_progress", "finalizing", "expired"],
    ["something new", "completed"],
    ["in_progress", "in_progress", "in_progress", "expired"],
]

Openai = Callable[..., Service]


@pytest.fixture
def openai(settings: Any) -> Iterator[Openai]:
    """Starts the service with what it says of each batch."""
    with serving(FakeOpenAI({})) as service:
        settings.TECKO_OPENAI_URL = service.url
        settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]

        def say(**said: list[str | int]) -> Service:
            service.answer = FakeOpenAI(said)
            return service

        yield say


def statuses(job: PollingJob) -> dict[str, str]:
    return dict(Batch.objects.filter(job=job).values_list("batch_id", "status"))


def logged(job: PollingJob) -> list[str]:
    return list(job.logs.order_by("id").values_list("status", flat=True))


def test_ten_batches_go_through_every_status_to_their_ends(openai: Openai) -> None:
    service = openai(**{f"batch_{number}": list(said) for number, said in enumerate(SEQUENCES)})
    job = make_polling_job(*(f"batch_{number}" for number in range(10)))
    rounds = 0
    while job.last_check_status in (None, "PENDING"):
        check(job)
        rounds += 1
    assert (rounds, job.last_check_status, job.outcome) == (4, "FAILED", "completed_with_failures")
    assert statuses(job) == {f"batch_{number}": said[-1] for number, said in enumerate(SEQUENCES)}
    assert all(Batch.objects.values_list("completed_at", flat=True))
    asked = [call.path for call in service.calls]
    assert [asked.count(f"/v1/batches/batch_{number}") for number in range(10)] == [len(said) for said in SEQUENCES]


def test_ten_batches_are_asked_about_at_once(openai: Openai) -> None:
    everybody = threading.Barrier(10, timeout=10)
    service = openai()

    def answer(_: object) -> tuple[int, object]:
        everybody.wait()
        return 200, {"status": "completed"}

    service.answer = answer
    assert check(make_polling_job(*(f"batch_{number}" for number in range(10)))).last_check_status == "SUCCESS"


def test_the_secret_goes_as_a_bearer_token_and_its_use_is_written_down(openai: Openai) -> None:
    service = openai(batch_1=["in_progress"])
    job = check(make_polling_job())
    assert service.calls[0].headers["authorization"] == f"Bearer {OPENAI_KEY}"
    assert SecretUse.objects.get().job_id == job.pk


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_may_pass_is_tried_three_times(openai: Openai, code: int) -> None:
    service = openai(batch_1=[code, code, "in_progress"])
    assert check(make_polling_job()).last_check_status == "PENDING"
    assert len(service.calls) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_is_final_for_this_check_and_the_next_one_asks_again(openai: Openai, code: int) -> None:
    service = openai(batch_1=[code, "completed"])
    job = check(make_polling_job())
    assert (job.last_check_status, job.status, len(service.calls)) == ("ERROR", "active", 1)
    assert job.next_check_at is not None
    assert check(job).last_check_status == "SUCCESS"


def test_a_batch_that_stays_unknown_does_not_hide_what_the_others_said(openai: Openai) -> None:
    service = openai(batch_1=["completed"], batch_2=[500])
    job = check(make_polling_job("batch_1", "batch_2"))
    assert statuses(job) == {"batch_1": "completed", "batch_2": "in_progress"}
    assert (job.last_check_status, logged(job)) == ("ERROR", ["checking", "error"])
    assert job.logs.get(status="error").message == "batch_2: OpenAI answered 500."
    check(job)
    assert [call.path for call in service.calls].count("/v1/batches/batch_1") == 1


@pytest.mark.parametrize("body", ["no object", {"status": 5}, [], None])
def test_an_answer_that_is_no_batch_is_an_error(openai: Openai, body: object) -> None:
    openai().answer = lambda _: (200, body)
    assert check(make_polling_job()).last_check_status == "ERROR"


def test_openai_that_is_not_there_is_an_error(openai: Openai, settings: Any) -> None:
    settings.TECKO_OPENAI_URL = "http://127.0.0.1:9"
    job = check(make_polling_job())
    assert "connection refused" in job.logs.get(status="error").message


def test_a_secret_that_was_taken_away_is_an_error(openai: Openai) -> None:
    service = openai(batch_1=["completed"])
    job = make_polling_job()
    SecretGrant.objects.filter(secret=job.openai_secret).delete()
    assert check(job).last_check_status == "ERROR"
    assert service.calls == []


def test_logs_tell_each_check(openai: Openai) -> None:
    openai(batch_1=["validating", "completed"])
    job = make_polling_job()
    check(check(job))
    assert logged(job) == ["checking", "pending", "checking", "completed"]


def test_a_job_whose_batches_have_ended_waits_for_keboola_and_is_checked_no_more(openai: Openai) -> None:
    openai(batch_1=["completed"])
    job = check(make_polling_job())
    assert (job.status, job.next_check_at, job.completed_at) == ("active", None, None)
    job.pause()
    job.resume()
    assert job.next_check_at is None
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("url", ["http://api.openai.com", "https://127.0.0.1", "ftp://x", "https://a.example/?x=1", ""])
def test_a_wrong_address_of_openai_is_reported(settings: Any, url: str) -> None:
    settings.TECKO_OPENAI_URL = url
    (found,) = openai_url()
    assert found.id == "polling.E002"


@pytest.mark.parametrize("url", ["https://api.openai.com", "https://gateway.example.com/openai"])
def test_a_right_address_of_openai_is_not(settings: Any, url: str) -> None:
    settings.TECKO_OPENAI_URL = url
    assert openai_url() == []


def test_batches_that_never_end_fail_the_job_at_its_deadline_and_start_nothing(openai: Openai) -> None:
    openai(batch_1=["in_progress"])
    job = check(make_polling_job())
    assert claims.give_up_overdue(PollingJob, now=timezone.now() + timedelta(days=6)) == 0
    assert claims.give_up_overdue(PollingJob, now=timezone.now() + timedelta(days=8)) == 1
    job.refresh_from_db()
    assert (job.status, job.failure_cause, logged(job)[-1]) == ("failed", "deadline", "failed")
    assert not Delivery.objects.exists()


def test_a_job_that_waits_for_keboola_has_no_deadline(openai: Openai) -> None:
    openai(batch_1=["completed"])
    job = check(make_polling_job())
    assert claims.give_up_overdue(PollingJob, now=timezone.now() + timedelta(days=99)) == 0
    job.refresh_from_db()
    assert job.status == "active"


def alerts() -> list[tuple[str, str, str | None]]:
    bodies = [json.loads(delivery.body) for delivery in Delivery.objects.order_by("created_at")]
    return [(body["event"], body["job_kind"], body["cause"]) for body in bodies]


def test_the_operator_is_told_of_errors_of_their_end_and_of_a_job_that_is_given_up(
    openai: Openai, settings: Any
) -> None:
    settings.TECKO_ALERT_URL = "https://alerts.example.com/x"
    openai(batch_1=[401] * 5 + ["in_progress"])
    job = make_polling_job()
    for _ in range(6):
        check(job)
    claims.give_up_overdue(PollingJob, now=timezone.now() + timedelta(days=8))
    assert alerts() == [
        ("check.alert", "openai", "service_failed"),
        ("check.recovered", "openai", None),
        ("check.gave_up", "openai", "deadline"),
    ]
    assert {delivery.url for delivery in Delivery.objects.all()} == {"https://alerts.example.com/x"}


@pytest.mark.parametrize("url", ["http://alerts.example.com", "https://127.0.0.1", "alerts"])
def test_a_wrong_alert_address_is_reported(settings: Any, url: str) -> None:
    settings.TECKO_ALERT_URL = url
    assert [message.id for message in alert_url()] == ["polling.E003"]


@pytest.mark.parametrize("url", ["", "https://alerts.example.com/x"])
def test_a_right_alert_address_is_not(settings: Any, url: str) -> None:
    settings.TECKO_ALERT_URL = url
    assert alert_url() == []
