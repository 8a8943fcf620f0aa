"""Keboola is started once when the batches have ended, whatever dies, and the job ends with its answer."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as product
from django.db import connection
from django.utils import timezone

from polling.channels import keboola
from polling.jobs.scheduling import TransitionRefused
from polling.openai import service as jobs
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from secrets_app.models import SecretGrant
from tests.polling.http import receivers
from tests.polling.services import (
    KEBOOLA_TOKEN,
    FakeKeboola,
    FakeOpenAI,
    Service,
    call_keboola,
    check,
    make_polling_job,
    serving,
)

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., Service]
CALL = (
    "import django; django.setup()\n"
    "from django.utils import timezone; from tests.polling import services; services.call_keboola(timezone.now())"
)


@pytest.fixture
def start(settings: Any) -> Iterator[Start]:
    """Keboola with what it answers."""
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with serving(FakeKeboola([201])) as service:

        def answering(*codes: int) -> Service:
            service.answer = FakeKeboola(list(codes))
            return service

        yield answering


def ended(settings: Any, stack_url: str, *said: str) -> PollingJob:
    """A job whose batches OpenAI has just said to have ended like this."""
    batches = {f"batch_{number}": [word] for number, word in enumerate(said or ("completed",))}
    with serving(FakeOpenAI(batches)) as openai:  # type: ignore[arg-type]
        settings.TECKO_OPENAI_URL = openai.url
        return check(make_polling_job(*batches, stack_url=stack_url))


def state(job: PollingJob) -> tuple[str, str, str]:
    job.refresh_from_db()
    return job.status, job.failure_cause, Delivery.objects.get().status


def until_settled(began: datetime) -> timedelta:
    """Lets the clock run to every attempt that is due; returns how long it took."""
    now = began
    while Delivery.objects.get().status == "pending":
        now = Delivery.objects.get().next_attempt_at or now
        call_keboola(now)
    return now - began


@pytest.mark.parametrize(
    ("stack", "queue"),
    [
        ("https://connection.keboola.com", "https://queue.keboola.com"),
        ("https://connection.eu-central-1.keboola.com/", "https://queue.eu-central-1.keboola.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_the_queue_of_a_stack_is_beside_its_connection(stack: str, queue: str) -> None:
    assert keboola.queue_url(stack) == queue


def test_keboola_gets_the_token_and_the_batches(start: Start, settings: Any) -> None:
    service = start(201)
    ended(settings, service.url, "completed", "expired", "completed")
    call_keboola(timezone.now())
    (call,) = service.calls
    assert (call.method, call.path, call.headers["x-storageapi-token"]) == ("POST", "/jobs", KEBOOLA_TOKEN)
    assert call.body == {
        "mode": "run",
        "component": "kds.app",
        "config": "42",
        "variableValuesData": {
            "values": [
                {"name": "batch_ids_completed", "value": '["batch_0", "batch_2"]'},
                {"name": "batch_ids_failed", "value": '["batch_1"]'},
                {"name": "batch_count_total", "value": "3"},
                {"name": "batch_count_completed", "value": "2"},
                {"name": "batch_count_failed", "value": "1"},
            ]
        },
    }
    assert KEBOOLA_TOKEN not in repr(Delivery.objects.values().get())


@pytest.mark.parametrize(("said", "status"), [("completed", "completed"), ("failed", "completed_with_failures")])
def test_the_job_ends_when_keboola_has_answered(start: Start, settings: Any, said: str, status: str) -> None:
    job = ended(settings, start(201).url, said)
    assert state(job) == ("active", "", "pending")
    call_keboola(timezone.now())
    assert state(job) == (status, "", "delivered")
    assert job.completed_at is not None
    assert job.logs.latest("id").message == "Keboola started a job: 4711."


def test_a_job_that_was_paused_meanwhile_ends_too(start: Start, settings: Any) -> None:
    job = ended(settings, start(201).url)
    job.pause()
    call_keboola(timezone.now())
    assert state(job)[0] == "completed"


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_keboola_is_tried_after_1_2_and_4_seconds(start: Start, settings: Any, code: int) -> None:
    service = start(code, code, code, 201)
    job = ended(settings, service.url)
    began = timezone.now()
    assert until_settled(began) < timedelta(seconds=8)
    assert (len(service.calls), state(job)[0]) == (4, "completed")
    assert job.logs.filter(status="error").count() == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 302])
def test_what_keboola_refuses_is_not_tried_again_and_fails_the_job(start: Start, settings: Any, code: int) -> None:
    service = start(code)
    job = ended(settings, service.url)
    call_keboola(timezone.now())
    assert (state(job), len(service.calls)) == (("failed", "keboola_failed", "failed"), 1)


def test_keboola_that_is_down_for_an_hour_is_started_once_it_is_back(start: Start, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    service = start(201)
    job = ended(settings, f"http://127.0.0.1:{port}")
    began = now = timezone.now()
    while now < began + timedelta(hours=1):
        call_keboola(now)
        assert state(job) == ("active", "", "pending")
        now = Delivery.objects.get().next_attempt_at
    Delivery.objects.update(url=f"{service.url}/jobs")  # it is back
    until_settled(now)
    assert (state(job)[0], len(service.calls)) == ("completed", 1)
    assert "connection refused" in job.logs.filter(status="error").earliest("id").message


def test_keboola_that_stays_down_fails_the_job_in_the_end(start: Start, settings: Any) -> None:
    job = ended(settings, start(503).url)
    assert until_settled(timezone.now()) > timedelta(hours=24)
    assert state(job) == ("failed", "keboola_failed", "failed")


def test_a_token_that_was_taken_away_starts_nothing(start: Start, settings: Any) -> None:
    service = start(201)
    job = ended(settings, service.url)
    SecretGrant.objects.filter(secret=job.keboola_secret).delete()
    call_keboola(timezone.now())
    assert (state(job), service.calls) == (("active", "", "pending"), [])


@pytest.mark.parametrize("behave", [receivers.reset, lambda _: None, lambda c: c.sendall(b"HTTP/1.1 20")])
def test_a_call_without_an_answer_is_unknown_and_not_repeated(start: Start, settings: Any, behave: Any) -> None:
    start()
    with receivers.receiving(behave) as receiver:
        job = ended(settings, f"http://127.0.0.1:{receiver.port}")
        call_keboola(timezone.now())
        assert call_keboola(timezone.now() + timedelta(days=9)) == []
        assert len(receiver.requests) == 1
    assert state(job) == ("failed", "keboola_unknown", "unknown")


def test_a_connection_that_ends_before_the_request_has_started_nothing(start: Start, settings: Any) -> None:
    start()
    with receivers.listening(receivers.reset) as receiver:
        job = ended(settings, f"https://127.0.0.1:{receiver.port}")
        call_keboola(timezone.now())
    assert state(job) == ("active", "", "pending")


def test_a_gateway_that_gave_up_waiting_leaves_it_unknown(start: Start, settings: Any) -> None:
    job = ended(settings, start(504).url)
    call_keboola(timezone.now())
    assert state(job) == ("failed", "keboola_unknown", "unknown")


@pytest.mark.usefixtures("processes")
def test_a_process_that_is_killed_after_keboola_has_answered_starts_no_second_job(settings: Any, start: Start) -> None:
    start()
    answered = threading.Event()

    def accept_without_end(accepted: socket.socket) -> None:
        """The whole answer; its reader waits for the end of the connection, and so has not written anything yet."""
        accepted.sendall(b'HTTP/1.1 201 Created\r\n\r\n{"id": "4711"}')
        answered.set()
        accepted.recv(1)

    with receivers.receiving(accept_without_end) as receiver:
        job = ended(settings, f"http://127.0.0.1:{receiver.port}")
        caller = subprocess.Popen([sys.executable, "-c", CALL], **_process())
        assert answered.wait(60)
        time.sleep(0.2)
        caller.kill()
        caller.wait()
        assert state(job) == ("active", "", "pending")
        call_keboola(timezone.now() + timedelta(minutes=5))  # when the claim has expired
        assert len(receiver.requests) == 1
    assert state(job) == ("failed", "keboola_unknown", "unknown")
    assert "not known whether the job has started" in job.logs.latest("id").message


def _process() -> dict[str, Any]:
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor != "sqlite":
        login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        url = f"postgres://{login}/{database['NAME']}"
    return {"cwd": product.BASE_DIR, "env": os.environ | {"DATABASE_URL": url, "TECKO_WEBHOOK_ALLOW": "127.0.0.1"}}


def test_a_call_that_begins_is_taken_from_its_double(start: Start, settings: Any) -> None:
    ended(settings, start(201).url)
    (first,) = Delivery.objects.claim([Delivery.objects.get().pk], now=timezone.now())
    second = Delivery.objects.get()
    assert first.begin(timezone.now())
    assert not second.begin(timezone.now())


def test_a_call_that_is_sent_again_by_hand_completes_the_job(start: Start, settings: Any) -> None:
    job = ended(settings, start(403, 201).url)
    call_keboola(timezone.now())
    Delivery.objects.get().resend()
    call_keboola(timezone.now())
    assert state(job) == ("completed", "", "delivered")


def test_a_deleted_job_starts_nothing_more(start: Start, settings: Any) -> None:
    service = start(201)
    jobs.delete_job(ended(settings, service.url))
    assert call_keboola(timezone.now()) == []
    assert service.calls == []
    assert Delivery.objects.get().last_error == "The job was deleted."


def test_a_restarted_job_is_not_ended_by_the_call_of_its_last_cycle(start: Start, settings: Any) -> None:
    job = ended(settings, start(403).url)
    call_keboola(timezone.now())
    assert state(job)[0] == "failed"
    job.restart()
    Delivery.objects.get().resend()
    call_keboola(timezone.now())
    assert state(job)[0] == "active"


def test_a_job_that_waits_for_keboola_cannot_be_triggered(start: Start, settings: Any) -> None:
    job = ended(settings, start(201).url)
    with pytest.raises(TransitionRefused, match="it waits for Keboola"):
        job.trigger()


@pytest.mark.parametrize(("code", "cause"), [(403, "keboola_failed"), (504, "keboola_unknown")])
def test_the_operator_is_told_each_time_that_keboola_could_not_be_started(
    start: Start, settings: Any, code: int, cause: str
) -> None:
    settings.TECKO_ALERT_URL = "https://alerts.example.com/x"
    ended(settings, start(code).url)
    call_keboola(timezone.now())
    Delivery.objects.get(event="keboola.job").resend()
    call_keboola(timezone.now())
    told = [json.loads(delivery.body) for delivery in Delivery.objects.filter(event="check.gave_up")]
    assert [(body["cause"], str(code) in body["check_message"]) for body in told] == [(cause, True)] * 2
