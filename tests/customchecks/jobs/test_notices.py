"""What a custom job sends, and to whom: its webhook, or the alert address that it names."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Cause, CheckResult, Verdict
from polling.http.addresses import Allowance
from polling.http.client import GuardedClient
from polling.jobs import claims
from polling.outbox.deliveries import Delivery
from polling.sending import attempts
from secrets_app import references
from tests.factories import make_secret

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "whsec_" + "QUJD" * 8
PENDING = CheckResult(verdict=Verdict.PENDING, data={"parts": 2}, message="2 of 7", revision="abc")
ERROR = CheckResult(verdict=Verdict.ERROR, cause=Cause.TIMEOUT, message="too slow", revision="abc")


@pytest.fixture
def calls(httpserver: HTTPServer) -> Iterator[list[Request]]:
    arrived: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        arrived.append(request)
        return Response("", status=200)

    for path in ("/webhook", "/alerts"):
        httpserver.expect_request(path).respond_with_handler(answer)
    yield arrived


def telling_job(httpserver: HTTPServer, **fields: Any) -> CustomCheckJob:
    secret = make_secret("key", KEY)
    job = CustomCheckJob.objects.create(
        name="nightly",
        script_source_type="git",
        script_runtime="python",
        next_check_at=timezone.now(),
        **{
            "webhook_url": httpserver.url_for("/webhook"),
            "webhook_headers": {"Authorization": "Bearer of-the-webhook"},
            "webhook_query_params": {"token": "of-the-webhook"},
            "webhook_signing_secrets": ["secret_ref:key"],
            **fields,
        },
    )
    references.grant([secret], job_kind=job.kind, job_id=job.pk, user=None)
    return job


def answer(job: CustomCheckJob, *results: CheckResult) -> None:
    for result in results:
        CustomCheckJob.objects.filter(status="active").update(next_check_at=timezone.now())
        now = timezone.now()
        ((_, claim),) = claims.claim_due(CustomCheckJob, host="h", now=now, fits=lambda _: True)
        claims.record(claim, result, now=now)
    job.refresh_from_db()


def send() -> None:
    client = GuardedClient(allow=Allowance.parse(["127.0.0.1", "localhost"]))
    for delivery in Delivery.objects.order_by("created_at"):
        (claimed,) = Delivery.objects.claim([delivery.pk], now=timezone.now() + timedelta(hours=1))
        attempts.attempt(claimed, client)


def body(request: Request) -> dict[str, Any]:
    return dict(json.loads(request.get_data()))


def test_alerts_go_to_the_webhook_where_there_is_no_other_address(httpserver: HTTPServer, calls: list[Request]) -> None:
    answer(telling_job(httpserver, alert_after_errors=2), ERROR, ERROR, PENDING)
    send()
    alert, recovery = map(body, calls)
    assert [call.path for call in calls] == ["/webhook", "/webhook"]
    assert calls[0].headers["Authorization"] == "Bearer of-the-webhook"
    assert (alert["event"], alert["check_status"], alert["cause"]) == ("check.alert", "ERROR", "timeout")
    assert (alert["consecutive_errors"], alert["check_message"]) == (2, "too slow")
    assert (recovery["event"], recovery["check_status"], recovery["check_data"]) == (
        "check.recovered",
        "PENDING",
        {"parts": 2},
    )
    assert alert["delivery_id"] != recovery["delivery_id"]


def test_an_alert_address_gets_signed_calls_without_what_is_for_the_webhook_alone(
    httpserver: HTTPServer, calls: list[Request]
) -> None:
    answer(
        telling_job(httpserver, alert_after_errors=1, alert_url=httpserver.url_for("/alerts"), webhook_method="GET"),
        ERROR,
        PENDING,
    )
    send()
    assert [(call.method, call.path, call.query_string) for call in calls] == [("POST", "/alerts", b"")] * 2
    for call in calls:
        assert "of-the-webhook" not in str(call.headers)
        Webhook(KEY).verify(call.get_data(), dict(call.headers))


def test_the_end_is_told_in_the_documented_fields_and_no_others(httpserver: HTTPServer, calls: list[Request]) -> None:
    job = telling_job(httpserver)
    data = {"file_uri": "gs://x", "parts": 0, "ok": False}
    answer(job, CheckResult(verdict=Verdict.SUCCESS, data=data, revision="abc", execution_time_ms=1234))
    send()
    told = body(calls[0])
    assert told.pop("timestamp") == job.completed_at.isoformat().replace("+00:00", "Z")
    assert told == {
        "job_id": job.pk,
        "job_name": "nightly",
        "check_status": "SUCCESS",
        "check_data": data,
        "check_message": None,
        "execution_time_ms": 1234,
        "cause": None,
        "script_version": "abc",
        "delivery_id": str(Delivery.objects.get().pk),
    }


def test_an_end_is_told_to_the_webhook_only(httpserver: HTTPServer, calls: list[Request]) -> None:
    job = telling_job(httpserver, alert_url=httpserver.url_for("/alerts"))
    answer(job, CheckResult(verdict=Verdict.FAILED))
    send()
    assert [call.path for call in calls] == ["/webhook"]
    assert "event" not in body(calls[0])


def test_giving_up_is_told_to_both_with_what_the_last_check_said(httpserver: HTTPServer, calls: list[Request]) -> None:
    job = telling_job(httpserver, alert_url=httpserver.url_for("/alerts"), deadline_seconds=60)
    answer(job, PENDING)
    claims.give_up_overdue(CustomCheckJob, now=timezone.now() + timedelta(seconds=61))
    send()
    assert sorted(call.path for call in calls) == ["/alerts", "/webhook"]
    for call in calls:
        told = body(call)
        assert (told["check_status"], told["cause"]) == ("ERROR", "deadline")
        assert (told["check_data"], told["script_version"]) == ({"parts": 2}, "abc")
        assert told["check_message"] == "Gave up: no verdict within 60 seconds. The last check said: 2 of 7"
    job.refresh_from_db()
    assert [(log.status, log.cause) for log in job.logs.order_by("pk")] == [("pending", ""), ("error", "deadline")]


def test_an_alert_address_is_guarded_like_a_webhook(httpserver: HTTPServer, calls: list[Request]) -> None:
    answer(telling_job(httpserver, alert_after_errors=1, alert_url="http://127.0.0.1:9/"), ERROR)
    (claimed,) = Delivery.objects.claim([Delivery.objects.get().pk], now=timezone.now())
    attempts.attempt(claimed, GuardedClient(allow=Allowance.parse([])))
    claimed.refresh_from_db()
    assert (claimed.status, calls) == ("failed", [])


def test_a_job_without_any_address_owes_nothing(httpserver: HTTPServer) -> None:
    answer(telling_job(httpserver, webhook_url=None, alert_after_errors=1, max_consecutive_errors=2), ERROR, ERROR)
    assert not Delivery.objects.exists()


def test_a_job_without_any_address_tells_the_operator(httpserver: HTTPServer, settings: Any) -> None:
    settings.TECKO_ALERT_URL = httpserver.url_for("/alerts")
    answer(telling_job(httpserver, webhook_url=None, alert_after_errors=1, max_consecutive_errors=2), ERROR, ERROR)
    told = Delivery.objects.order_by("created_at")
    assert [(each.event, each.url) for each in told] == [
        ("check.alert", settings.TECKO_ALERT_URL),
        ("check.gave_up", settings.TECKO_ALERT_URL),
    ]


def test_the_operator_is_not_told_what_a_webhook_is(httpserver: HTTPServer, settings: Any) -> None:
    settings.TECKO_ALERT_URL = httpserver.url_for("/alerts")
    answer(telling_job(httpserver, alert_after_errors=1, max_consecutive_errors=2), ERROR, ERROR)
    assert {each.url for each in Delivery.objects.all()} == {httpserver.url_for("/webhook")}
