"""Receivers verify our signatures with the public library, also while a key is replaced by another."""

import base64
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from polling.http.addresses import Allowance
from polling.http.client import GuardedClient
from polling.outbox import signatures
from polling.outbox.deliveries import Delivery, DeliveryDraft, DeliveryStatus
from polling.sending import attempts
from secrets_app import references
from secrets_app.models import Secret
from tests.kinds.models import ScriptedJob

CLIENT = GuardedClient(allow=Allowance.parse(["127.0.0.0/8", "localhost"]), deadline=3)
OLD, NEW, FOREIGN = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n", b"f"))
BAD_KEYS = ["plain text", "whsec_", "whsec_???", "whsec_" + base64.b64encode(b"short").decode(), "whsec_ü", OLD[6:]]


def signed(httpserver: HTTPServer, keys: dict[str, str], method: str = "POST") -> tuple[Delivery, list[Request]]:
    calls: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        calls.append(request)
        return Response()

    httpserver.expect_request("/hook").respond_with_handler(answer)
    job = ScriptedJob.objects.create(name="jöb")
    secrets = [Secret(name=name, type="generic") for name in keys]
    for secret in secrets:
        secret.set_value(keys[secret.name])
        secret.save()
    references.grant(secrets, job_kind=job.kind, job_id=job.pk, user=None)
    draft = DeliveryDraft(
        channel="webhook",
        event="e",
        url=httpserver.url_for("/hook"),
        method=method,
        payload={"job_name": job.name, "check_data": {"x": "✓"}},
        signing_secrets=[f"secret_ref:{name}" for name in keys],
    )
    delivery = Delivery.objects.open(draft, job=job, now=datetime.now(UTC))
    attempts.attempt(delivery, CLIENT)
    return delivery, calls


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_the_public_library_verifies_what_was_sent(httpserver: HTTPServer, method: str) -> None:
    _, (call,) = signed(httpserver, {"key": OLD}, method)
    Webhook(OLD).verify(call.get_data(), dict(call.headers), json_parse=method != "GET")


@pytest.mark.django_db(transaction=True)
def test_both_keys_verify_during_a_rotation_and_no_other(httpserver: HTTPServer) -> None:
    _, (call,) = signed(httpserver, {"new": NEW, "old": OLD})
    for key in (OLD, NEW):
        assert Webhook(key).verify(call.get_data(), dict(call.headers))["check_data"] == {"x": "✓"}
    with pytest.raises(WebhookVerificationError):
        Webhook(FOREIGN).verify(call.get_data(), dict(call.headers))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", None])
def test_what_was_changed_on_the_way_does_not_verify(httpserver: HTTPServer, header: str | None) -> None:
    _, (call,) = signed(httpserver, {"key": OLD})
    headers, body = {name.lower(): value for name, value in call.headers.items()}, call.get_data()
    if header is None:
        body = body.replace(b"check_data", b"check_date")
    else:
        headers[header] = headers[header][:-1] + ("1" if headers[header][-1] != "1" else "2")
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, headers)


@pytest.mark.django_db(transaction=True)
def test_a_job_without_keys_sends_no_signature(httpserver: HTTPServer) -> None:
    _, (call,) = signed(httpserver, {})
    assert "webhook-signature" not in call.headers


@pytest.mark.django_db(transaction=True)
def test_a_secret_that_is_no_key_is_told_and_nothing_is_sent(httpserver: HTTPServer) -> None:
    delivery, calls = signed(httpserver, {"key": "not a key at all"})
    assert (delivery.status, calls) == (DeliveryStatus.PENDING, [])
    assert delivery.last_error.startswith("A signing secret is whsec_")


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_what_is_no_key_signs_nothing(key: str) -> None:
    with pytest.raises(signatures.BadKey) as refused:
        signatures.sign(b"{}", message_id="m", at=datetime.now(UTC), keys=[key])
    assert key[6:] == "" or key[6:] not in str(refused.value)


@pytest.mark.django_db(transaction=True)
def test_new_keys_hold_for_what_is_owed_already(httpserver: HTTPServer) -> None:
    delivery, _ = signed(httpserver, {"old": OLD})
    job = ScriptedJob.objects.get(pk=delivery.job_id)
    Delivery.objects.sign_with(["secret_ref:new"], job=job)
    delivery.refresh_from_db()
    assert delivery.signing_secrets == ["secret_ref:new"]
