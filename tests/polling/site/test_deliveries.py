"""Deliveries in the API: their attempts, sending again, sending a test, signing keys."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from polling.outbox.deliveries import Delivery, Outcome
from secrets_app.models import Secret, SecretGrant
from tests.factories import make_secret

URL = "https://hooks.example.com/in"
UNKNOWN = "0b9c1f9e-4a53-4b8c-9a3c-6d1d3f7c2e11"


@pytest.fixture
def job(create: Callable[..., Any]) -> CustomCheckJob:
    return CustomCheckJob.objects.get(pk=create(webhook_url=URL).json()["id"])


def sent_test(client: APIClient, job: CustomCheckJob) -> Any:
    return client.post(f"/api/custom-checks/{job.pk}/webhook/test")


def ended(delivery_id: str, status_code: int = 410) -> Delivery:
    delivery = Delivery.objects.get(pk=delivery_id)
    outcome = Outcome(started_at=timezone.now(), duration_ms=12, status_code=status_code, answer="bye")
    delivery.settle(outcome, now=timezone.now())
    return delivery


def secret(name: str) -> Secret:
    return make_secret(name, "whsec_" + base64.b64encode(name.encode().ljust(32)).decode())


def test_a_test_is_a_delivery_like_any_other(client: APIClient, job: CustomCheckJob) -> None:
    answer = sent_test(client, job)
    body = json.loads(Delivery.objects.get().body)
    assert (answer.status_code, answer.json()["event"], answer.json()["test"]) == (202, "check.test", True)
    assert (body["test"], body["job_id"], body["delivery_id"]) == (True, job.pk, answer.json()["id"])


def test_tests_can_be_sent_again_and_again(client: APIClient, job: CustomCheckJob) -> None:
    assert [sent_test(client, job).status_code for _ in range(3)] == [202] * 3


def test_no_more_than_ten_tests_wait_to_be_delivered(client: APIClient, job: CustomCheckJob) -> None:
    sent = [sent_test(client, job) for _ in range(11)]
    assert [answer.status_code for answer in sent] == [202] * 10 + [409]
    ended(sent[0].json()["id"])
    assert sent_test(client, job).status_code == 202


def test_a_job_without_a_webhook_has_nothing_to_test(client: APIClient, create: Callable[..., Any]) -> None:
    answer = client.post(f"/api/custom-checks/{create().json()['id']}/webhook/test")
    assert (answer.status_code, "webhook_url" in answer.json()["detail"]) == (409, True)


def test_a_delivery_shows_its_attempts(client: APIClient, job: CustomCheckJob) -> None:
    delivery = ended(sent_test(client, job).json()["id"])
    shown = client.get(f"/api/deliveries/{delivery.pk}").json()
    (row,) = shown["attempt_rows"]
    assert (shown["status"], row["number"], row["status_code"], row["answer"]) == ("gone", 1, 410, "bye")


def test_a_gone_delivery_is_found_by_its_status(client: APIClient, job: CustomCheckJob) -> None:
    ended(sent_test(client, job).json()["id"])
    assert client.get("/api/deliveries?status=gone").json()["total"] == 1


def test_a_delivery_that_ended_is_sent_again_with_its_id(client: APIClient, job: CustomCheckJob) -> None:
    delivery = ended(sent_test(client, job).json()["id"])
    answer = client.post(f"/api/deliveries/{delivery.pk}/resend")
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (202, str(delivery.pk), "pending")


def test_a_pending_delivery_is_not_sent_again(client: APIClient, job: CustomCheckJob) -> None:
    delivery_id = sent_test(client, job).json()["id"]
    assert client.post(f"/api/deliveries/{delivery_id}/resend").status_code == 409


@pytest.mark.parametrize("path", [f"deliveries/{UNKNOWN}/resend", "custom-checks/999/webhook/test"])
def test_what_is_not_there_is_not_sent(client: APIClient, path: str) -> None:
    assert client.post(f"/api/{path}").status_code == 404


def test_who_may_only_look_sends_nothing(client: APIClient, job: CustomCheckJob) -> None:
    delivery = ended(sent_test(client, job).json()["id"])
    looking = User.objects.create_user("looking")
    looking.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_authenticate(User.objects.get(pk=looking.pk))
    assert client.get(f"/api/deliveries/{delivery.pk}").status_code == 200
    assert client.post(f"/api/deliveries/{delivery.pk}/resend").status_code == 403
    assert sent_test(client, job).status_code == 403


# Signing keys


def test_signing_keys_are_granted_and_rotate_for_what_is_owed(client: APIClient, job: CustomCheckJob) -> None:
    secret("old"), secret("new")
    delivery_id = uuid.UUID(sent_test(client, job).json()["id"])
    for keys in (["secret_ref:old"], ["secret_ref:new", "secret_ref:old"], ["secret_ref:new"]):
        answer = client.patch(f"/api/custom-checks/{job.pk}", {"webhook_signing_secrets": keys}, format="json")
        assert (answer.status_code, answer.json()["webhook_signing_secrets"]) == (200, keys)
        granted = SecretGrant.objects.filter(job_id=job.pk).values_list("secret__name", flat=True)
        assert {f"secret_ref:{name}" for name in granted} == set(keys)
        assert Delivery.objects.get(pk=delivery_id).signing_secrets == keys


@pytest.mark.parametrize(
    "keys",
    [
        "secret_ref:old",
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ["Bearer secret_ref:old"],
        ["secret_ref:old", "secret_ref:old"],
        ["secret_ref:old", "secret_ref:new", "secret_ref:third"],
        ["secret_ref:unknown"],
        [1],
        None,
        {"0": "secret_ref:old"},
    ],
    ids=str,
)
def test_other_than_references_signs_nothing(client: APIClient, job: CustomCheckJob, keys: object) -> None:
    secret("old"), secret("new"), secret("third")
    answer = client.patch(f"/api/custom-checks/{job.pk}", {"webhook_signing_secrets": keys}, format="json")
    assert answer.status_code == 400
    assert any(name.startswith("webhook_signing_secrets") for name in answer.json()["errors"])
    assert "MfKQ9" not in answer.content.decode()
