"""A group's call on its way: signed, with secrets and templates, sent again and tested, as every delivery is."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from polling.base.results import Verdict
from polling.jobs import test_deliveries
from polling.jobs.groups import JobGroup
from polling.outbox.deliveries import Delivery
from secrets_app.models import SecretUse
from tests.factories import make_secret
from tests.polling.jobs.grouped import end, make_group, make_member
from tests.polling.sending.couriers import wait_until, working

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
Hook = Callable[..., list[Request]]


@pytest.fixture
def hook(httpserver: HTTPServer, settings: Any) -> Iterator[Hook]:
    """What arrives at the receiver, which answers with these status codes, the last one again and again."""
    settings.TECKO_WEBHOOK_ALLOW = ["localhost", "127.0.0.1"]
    calls: list[Request] = []

    def answering(*codes: int) -> list[Request]:
        left = list(codes)

        def answer(request: Request) -> Response:
            request.get_data()
            calls.append(request)
            return Response(status=left.pop(0) if len(left) > 1 else left[0])

        httpserver.expect_request("/group").respond_with_handler(answer)
        return calls

    yield answering


def until_sent(count: int = 1) -> None:
    with working():
        wait_until(lambda: Delivery.objects.filter(status="delivered").count() == count, seconds=15)


def grouped(httpserver: HTTPServer, **columns: Any) -> JobGroup:
    """A group whose only member ends with FAILED."""
    member = make_member("gemini")
    group = make_group(member, webhook_url=httpserver.url_for("/group"), **columns)
    end(member, Verdict.FAILED)
    Delivery.objects.exclude(job_kind="group").delete()
    return group


def test_it_is_signed_and_its_secrets_are_filled_in(httpserver: HTTPServer, hook: Hook) -> None:
    make_secret("key", KEY)
    make_secret("login", "the-login-of-the-hook")
    headers = {"Authorization": "Bearer secret_ref:login"}
    calls = hook(503, 200)
    group = grouped(httpserver, webhook_headers=headers, webhook_signing_secrets=["secret_ref:key"])
    until_sent()
    assert len(calls) == 2
    body = Webhook(KEY).verify(calls[1].get_data(), dict(calls[1].headers))
    assert (body["group_id"], body["members"][0]["verdict"]) == (group.pk, "FAILED")
    assert calls[1].headers["Authorization"] == "Bearer the-login-of-the-hook"
    assert calls[0].headers["webhook-id"] == calls[1].headers["webhook-id"] == body["delivery_id"]
    assert set(SecretUse.objects.values_list("job_kind", "job_id")) == {("group", group.pk)}


def test_the_query_of_a_get_is_filled_in(httpserver: HTTPServer, hook: Hook) -> None:
    calls = hook(200)
    query = {"text": "{group_name}: {status}, {succeeded}/{total}", "cause": "{cause}"}
    grouped(httpserver, webhook_method="GET", webhook_query_params=query)
    until_sent()
    sent = parse_qs(calls[0].query_string.decode(), keep_blank_values=True)
    assert sent == {"text": ["all providers: completed, 0/1"], "cause": [""]}


def test_it_is_sent_again_with_its_id_and_body(httpserver: HTTPServer, hook: Hook) -> None:
    calls = hook(400, 200)
    grouped(httpserver)
    with working():
        wait_until(lambda: Delivery.objects.get().status == "failed", seconds=15)
    Delivery.objects.get().resend()
    until_sent()
    assert calls[0].get_data() == calls[1].get_data()


def test_a_test_is_sent_and_the_groups_own_call_is_still_to_come(httpserver: HTTPServer, hook: Hook) -> None:
    calls = hook(200)
    member = make_member()
    group = make_group(member, webhook_url=httpserver.url_for("/group"))
    test_deliveries.send_group_test(group)
    end(member)
    Delivery.objects.exclude(job_kind="group").delete()
    until_sent(2)
    bodies = [json.loads(call.get_data()) for call in calls]
    assert sorted(body.get("test", False) for body in bodies) == [False, True]
