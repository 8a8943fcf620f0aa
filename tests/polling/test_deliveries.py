"""What is owed is delivered, with one stable id, until it is answered or given up."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from polling import webhooks
from polling.addresses import Allowance
from polling.deliveries import RETRY_SECONDS, Delivery, DeliveryDraft, DeliveryStatus
from polling.http import GuardedClient
from secrets_app import references
from secrets_app.models import Secret
from tests.kinds.models import ScriptedJob

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
CLIENT = GuardedClient(allow=Allowance.parse(["127.0.0.0/8", "localhost"]), deadline=3)


@pytest.fixture
def answers() -> list[int]:
    return [200]


@pytest.fixture
def calls(httpserver: HTTPServer, answers: list[int]) -> Iterator[list[Request]]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return Response(status=answers[min(len(seen), len(answers)) - 1])

    httpserver.expect_request("/hook").respond_with_handler(answer)
    yield seen


def owed(httpserver: HTTPServer, **draft: object) -> Delivery:
    job = ScriptedJob.objects.create(name="job")
    fields = {"event": "e", "url": httpserver.url_for("/hook"), "method": "POST", "payload": {"job_id": job.pk}} | draft
    return Delivery.objects.open(DeliveryDraft(**fields), job=job, now=NOW)


def attempt(delivery: Delivery) -> Delivery:
    delivery.claim(NOW)
    webhooks.attempt(delivery, CLIENT)
    return delivery


def test_a_delivery_that_is_answered_is_delivered(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver))
    assert (delivery.status, delivery.attempts, delivery.last_status_code) == (DeliveryStatus.DELIVERED, 1, 200)
    assert calls[0].headers["webhook-id"] == json.loads(calls[0].get_data())["delivery_id"] == str(delivery.pk)


@pytest.mark.parametrize("answers", [[500, 200], [429, 200], [408, 200]])
def test_a_call_that_may_succeed_later_is_made_again_with_the_same_id_and_body(
    httpserver: HTTPServer, calls: list[Request]
) -> None:
    delivery = attempt(owed(httpserver))
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 1)
    attempt(delivery)
    first, second = calls
    assert delivery.status == DeliveryStatus.DELIVERED
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.get_data() == second.get_data()


@pytest.mark.parametrize("answers", [[400], [404], [302]])
def test_a_call_that_cannot_succeed_is_given_up(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver))
    assert (delivery.status, delivery.next_attempt_at, len(calls)) == (DeliveryStatus.FAILED, None, 1)


def test_attempts_follow_the_published_times_and_end() -> None:
    delivery = Delivery.objects.open(
        DeliveryDraft(event="e", url="https://h.example/", method="POST", payload={}),
        job=ScriptedJob.objects.create(name="job"),
        now=NOW,
    )
    waits = []
    while delivery.status == DeliveryStatus.PENDING:
        delivery.claim(NOW)
        delivery.attempt_failed("down", status_code=None, retry=True, now=NOW)
        waits += [(delivery.next_attempt_at - NOW).total_seconds()] if delivery.next_attempt_at else []
    assert waits == list(RETRY_SECONDS)
    assert delivery.status == DeliveryStatus.FAILED


def test_a_receiver_that_is_down_is_tried_again(httpserver: HTTPServer) -> None:
    delivery = attempt(owed(httpserver, url="http://127.0.0.1:9/hook"))
    assert delivery.status == DeliveryStatus.PENDING
    assert delivery.last_error


def test_a_refused_address_is_not_tried_again(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = owed(httpserver)
    delivery.claim(NOW)
    webhooks.attempt(delivery, GuardedClient(allow=Allowance.parse([])))
    assert (delivery.status, calls) == (DeliveryStatus.FAILED, [])


def test_a_due_delivery_is_claimed_once_and_again_when_its_attempt_was_lost(httpserver: HTTPServer) -> None:
    owed(httpserver)
    assert len(Delivery.objects.claim_due(now=NOW)) == 1
    assert Delivery.objects.claim_due(now=NOW) == []
    assert len(Delivery.objects.claim_due(now=NOW + timedelta(minutes=5))) == 1


def test_an_attempt_that_was_overtaken_changes_nothing(httpserver: HTTPServer) -> None:
    ((slow, _),) = owed(httpserver) and Delivery.objects.claim_due(now=NOW)
    ((quick, _),) = Delivery.objects.claim_due(now=NOW + timedelta(minutes=5))
    assert quick.succeeded(200, now=NOW)
    assert not slow.attempt_failed("late", status_code=500, retry=True, now=NOW)
    assert slow.status == DeliveryStatus.DELIVERED


def test_a_secret_reaches_the_receiver_in_a_header_and_is_stored_nowhere(
    httpserver: HTTPServer, calls: list[Request]
) -> None:
    secret = Secret(name="hook", type="generic")
    secret.set_value("s3cret-of-the-hook")
    secret.save()
    delivery = owed(httpserver, headers={"Authorization": "Bearer secret_ref:hook"})
    references.grant([secret], job_kind=delivery.job_kind, job_id=delivery.job_id, user=None)
    attempt(delivery)
    assert calls[0].headers["Authorization"] == "Bearer s3cret-of-the-hook"
    assert "s3cret-of-the-hook" not in repr(Delivery.objects.values().get())


def test_what_a_script_answered_is_never_read_as_a_reference(httpserver: HTTPServer, calls: list[Request]) -> None:
    payload = {"check_data": {"x": "secret_ref:1"}, "job_id": 0}
    attempt(owed(httpserver, method="GET", query={"x": "{data.x}", "job": "job-{job_id}"}, payload=payload))
    assert dict(calls[0].args) == {"x": "secret_ref:1", "job": "job-0"}


def test_our_headers_cannot_be_replaced(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver, headers={"Webhook-Id": "forged", "X-Own": "kept"}))
    assert calls[0].headers["webhook-id"] == str(delivery.pk)
    assert calls[0].headers["X-Own"] == "kept"
