"""What is owed is delivered, with one stable id, until it is answered or given up."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from polling.http.addresses import Allowance
from polling.http.client import GuardedClient
from polling.outbox.deliveries import Delivery, DeliveryDraft, DeliveryStatus, Outcome, ResendRefused
from polling.sending import attempts
from secrets_app import references
from tests.factories import make_secret
from tests.kinds.models import ScriptedJob

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
CLIENT = GuardedClient(allow=Allowance.parse(["127.0.0.0/8", "localhost"]), deadline=3)
PUBLISHED = (1, 2, 4, 300, 1800, 7200, 18000, 36000, 36000)
SECRET = "s3cret-of-the-hook"


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
    fields = {"channel": "webhook", "event": "e", "url": httpserver.url_for("/hook"), "method": "POST"}
    fields |= {"payload": {"job_id": job.pk}} | draft
    return Delivery.objects.open(DeliveryDraft(**fields), job=job, now=NOW)


def granted(delivery: Delivery, value: str = SECRET, *, name: str = "hook") -> None:
    secret = make_secret(name, value)
    references.grant([secret], job_kind=delivery.job_kind, job_id=delivery.job_id, user=None)


def attempt(delivery: Delivery) -> Delivery:
    attempts.attempt(delivery, CLIENT)
    return delivery


def failed(status_code: int | None = None, *, retry: bool = True) -> Outcome:
    return Outcome(started_at=NOW, duration_ms=7, status_code=status_code, error="down", retry=retry)


def claim(now: datetime = NOW) -> list[Delivery]:
    return Delivery.objects.claim([pk for pk, _ in Delivery.objects.waiting(now=now)], now=now)


def test_a_delivery_that_is_answered_is_delivered(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver))
    assert (delivery.status, delivery.attempts, delivery.last_status_code) == (DeliveryStatus.DELIVERED, 1, 200)
    assert calls[0].headers["webhook-id"] == json.loads(calls[0].get_data())["delivery_id"] == str(delivery.pk)


@pytest.mark.parametrize("answers", [[500, 200], [503, 200], [429, 200], [408, 200]])
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


@pytest.mark.parametrize("answers", [[410]])
def test_a_receiver_that_is_gone_is_marked_so(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver))
    assert (delivery.status, delivery.next_attempt_at, len(calls)) == (DeliveryStatus.GONE, None, 1)


def test_attempts_follow_the_published_times_and_end(httpserver: HTTPServer) -> None:
    delivery = owed(httpserver)
    waits = []
    while delivery.status == DeliveryStatus.PENDING:
        delivery.settle(failed(), now=NOW)
        waits += [(delivery.next_attempt_at - NOW).total_seconds()] if delivery.next_attempt_at else []
    assert waits[:3] == [1, 2, 4]
    assert waits == pytest.approx(PUBLISHED, rel=0.1)
    assert (delivery.status, delivery.attempt_rows.count()) == (DeliveryStatus.FAILED, 10)


def test_a_refused_address_is_not_tried_again(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = owed(httpserver)
    attempts.attempt(delivery, GuardedClient(allow=Allowance.parse([])))
    assert (delivery.status, calls) == (DeliveryStatus.FAILED, [])


def test_a_due_delivery_is_claimed_once_and_again_when_its_attempt_was_lost(httpserver: HTTPServer) -> None:
    owed(httpserver)
    assert len(claim()) == 1
    assert claim() == []
    assert len(claim(NOW + timedelta(minutes=5))) == 1


def test_an_attempt_that_was_overtaken_changes_nothing(httpserver: HTTPServer) -> None:
    owed(httpserver)
    (slow,), (quick,) = claim(), claim(NOW + timedelta(minutes=5))
    assert quick.settle(Outcome(started_at=NOW, duration_ms=7, status_code=200), now=NOW)
    assert not slow.settle(failed(500), now=NOW)
    assert (slow.status, slow.attempt_rows.count()) == (DeliveryStatus.DELIVERED, 1)


def test_what_is_due_to_a_busy_receiver_is_not_waiting(httpserver: HTTPServer) -> None:
    owed(httpserver, url="https://Busy.example:8443/a")
    other = owed(httpserver, url="https://other.example/a")
    waiting = Delivery.objects.waiting(now=NOW, without={"busy.example:8443"})
    assert waiting == [(other.pk, "other.example")]


# Secrets


def test_a_secret_reaches_the_receiver_in_a_header_and_is_stored_nowhere(
    httpserver: HTTPServer, calls: list[Request]
) -> None:
    delivery = owed(httpserver, headers={"Authorization": "Bearer secret_ref:hook"})
    granted(delivery)
    attempt(delivery)
    assert calls[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(Delivery.objects.values().get())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_secret_reaches_the_receiver_in_the_query_of_any_method(
    httpserver: HTTPServer, calls: list[Request], method: str
) -> None:
    delivery = owed(httpserver, method=method, query={"key": "a-secret_ref:hook"})
    granted(delivery)
    attempt(delivery)
    assert (calls[0].method, calls[0].args["key"]) == (method, f"a-{SECRET}")
    assert bool(calls[0].get_data()) is (method != "GET")
    assert SECRET not in repr(Delivery.objects.values().get())


@pytest.mark.parametrize(
    "echo", [lambda request: request.headers["X-Key"], lambda request: "x" * 2040 + request.headers["X-Key"]]
)
def test_a_receiver_that_echoes_a_secret_leaves_none_of_it_behind(
    httpserver: HTTPServer, echo: Callable[[Request], str]
) -> None:
    httpserver.expect_request("/hook").respond_with_handler(lambda request: Response(echo(request), 500))
    delivery = owed(httpserver, headers={"X-Key": "secret_ref:hook"}, query={"key": "secret_ref:hook"})
    granted(delivery)
    attempt(delivery)
    stored = delivery.attempt_rows.get().answer
    assert "***" in stored
    assert SECRET[:4] not in stored


def test_an_answer_is_kept_as_both_databases_can_store_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data(b"a\0b\xff" + b"c" * 5000, status=500)
    row = attempt(owed(httpserver)).attempt_rows.get()
    assert row.answer == "a\ufffdb\ufffd" + "c" * 2044
    assert (row.number, row.status_code, row.error) == (1, 500, "The receiver answered 500.")


def test_a_secret_that_is_missing_is_waited_for(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver, headers={"X-Key": "secret_ref:hook"}))
    assert (delivery.status, delivery.attempt_rows.get().status_code, calls) == (DeliveryStatus.PENDING, None, [])


# What goes into the call


def test_what_a_script_answered_is_never_read_as_a_reference(httpserver: HTTPServer, calls: list[Request]) -> None:
    payload = {"check_data": {"x": "secret_ref:1"}, "job_id": 0}
    attempt(owed(httpserver, method="GET", query={"x": "{data.x}", "job": "job-{job_id}"}, payload=payload))
    assert dict(calls[0].args) == {"x": "secret_ref:1", "job": "job-0"}


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ("{data.zero}|{data.no}", "0|false"),
        ("{data.deep.er}", "ü"),
        ("{data.deep.er.still}{data.none}{data.unknown}", ""),
        ("{data.deep}", '{"er":"ü"}'),
        ("{status}/{message}/{check_status}", "SUCCESS/a&b=c#\r\nX-Evil: 1/SUCCESS"),
    ],
)
def test_a_query_is_filled_in_and_holds_what_it_was_given(
    httpserver: HTTPServer, calls: list[Request], template: str, sent: str
) -> None:
    data = {"zero": 0, "no": False, "deep": {"er": "ü"}, "none": None}
    payload = {"check_status": "SUCCESS", "check_message": "a&b=c#\r\nX-Evil: 1", "check_data": data}
    attempt(owed(httpserver, method="GET", query={"q": template}, payload=payload))
    assert dict(calls[0].args) == {"q": sent}
    assert "X-Evil" not in calls[0].headers


def test_a_job_may_have_a_content_type_and_a_user_agent_of_its_own(
    httpserver: HTTPServer, calls: list[Request]
) -> None:
    attempt(owed(httpserver, headers={"Content-Type": "application/cloudevents+json", "User-Agent": "ours/1"}))
    attempt(owed(httpserver))
    sent = [(call.headers["Content-Type"], call.headers["User-Agent"]) for call in calls]
    assert sent == [("application/cloudevents+json", "ours/1"), ("application/json", "TeckoChecker")]


def test_our_headers_cannot_be_replaced(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver, headers={"Webhook-Id": "forged", "X-Own": "kept"}))
    assert calls[0].headers["webhook-id"] == str(delivery.pk)
    assert calls[0].headers["X-Own"] == "kept"


# Sending again


@pytest.mark.parametrize("answers", [[200, 200], [400, 200], [410, 200]])
def test_a_delivery_that_ended_can_be_sent_again(httpserver: HTTPServer, calls: list[Request]) -> None:
    delivery = attempt(owed(httpserver))
    delivery.resend()
    attempt(delivery)
    assert (delivery.status, [row.number for row in delivery.attempt_rows.all()]) == (DeliveryStatus.DELIVERED, [1, 2])
    assert calls[0].get_data() == calls[1].get_data()
    assert {call.headers["webhook-id"] for call in calls} == {str(delivery.pk)}


def test_sending_again_starts_with_the_quick_times(httpserver: HTTPServer) -> None:
    delivery = owed(httpserver)
    while delivery.status == DeliveryStatus.PENDING:
        delivery.settle(failed(), now=NOW)
    delivery.resend()
    delivery.settle(failed(), now=NOW)
    assert delivery.next_attempt_at == NOW + timedelta(seconds=1)


def test_a_pending_delivery_is_not_sent_again(httpserver: HTTPServer) -> None:
    with pytest.raises(ResendRefused):
        owed(httpserver).resend()
