"""Values of secrets go in and never come out."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from secrets_app.models import Secret
from tests.api.conftest import JOBS

SECRETS = "/api/admin/secrets"
VALUE = "canary-7Hq9/Zw"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_secret_is_created_and_its_value_not_shown(client: APIClient, boss: User, slash: str) -> None:
    answer = client.post(f"{SECRETS}{slash}", {"name": "gemini", "type": "generic", "value": VALUE})
    assert answer.status_code == 201
    assert set(answer.json()) == {"id", "name", "type", "created_at"}
    secret = Secret.objects.get()
    assert (secret.value(), secret.created_by) == (VALUE, boss)


@pytest.mark.parametrize("tail", ["", "/1"])
def test_no_answer_holds_the_value(client: APIClient, make_secret: Callable[..., Secret], tail: str) -> None:
    secret = make_secret("gemini", VALUE)
    answer = client.get(SECRETS + tail.replace("1", str(secret.pk)))
    assert answer.status_code == 200
    assert VALUE not in answer.content.decode()
    assert secret.ciphertext not in answer.content.decode()


def test_the_list_is_an_envelope(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    names = [make_secret(name=name).name for name in ("b", "a")]
    listed = client.get(SECRETS).json()
    assert ([secret["name"] for secret in listed["secrets"]], listed["total"]) == (names, 2)


def test_a_new_value_takes_the_place_of_the_old_one(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    secret = make_secret("gemini")
    answer = client.put(f"{SECRETS}/{secret.pk}", {"value": "another value"})
    assert (answer.status_code, "value" in answer.json()) == (200, False)
    assert Secret.objects.get().value() == "another value"


def test_a_taken_name_is_409(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    make_secret("gemini")
    answer = client.post(SECRETS, {"name": "gemini", "value": VALUE})
    assert (answer.status_code, "gemini" in answer.json()["detail"]) == (409, True)


def test_an_unused_secret_is_deleted(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    path = f"{SECRETS}/{make_secret('gemini').pk}"
    assert [client.delete(path).status_code for _ in range(2)] == [204, 404]


def test_a_secret_in_use_is_kept_and_its_jobs_named(
    client: APIClient, make_secret: Callable[..., Secret], create_job: Callable[..., CustomCheckJob]
) -> None:
    path = f"{SECRETS}/{make_secret('gemini').pk}"
    job = create_job(env_vars={"KEY": "secret_ref:gemini"})
    answer = client.delete(path)
    assert (answer.status_code, f"custom {job.pk}" in answer.json()["detail"]) == (409, True)
    client.delete(f"{JOBS}/{job.pk}")
    assert client.delete(path).status_code == 204


WRONG: list[tuple[str, Any]] = [
    *(("name", value) for value in ["", "x" * 256, "12", " a", "a\nb", "a\0b", "\ud800", 5, None, ["a"]]),
    *(("type", value) for value in ["other", None, 5, []]),
    *(("value", value) for value in ["", "quick", "a\0bcdefg", "\ud800abcdef", "x" * 70000, 123456, None, {}]),
    *((name, 1) for name in ["id", "created_at", "uuid", "ciphertext", "created_by", "\ud800"]),
]


@pytest.mark.parametrize(("field", "value"), WRONG, ids=lambda value: ascii(value)[:30])
def test_a_wrong_value_is_refused_by_its_name_and_not_repeated(client: APIClient, field: str, value: Any) -> None:
    body = json.dumps({"name": "n", "type": "openai", "value": VALUE} | {field: value})
    answer = client.generic("POST", SECRETS, body, content_type="application/json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field.replace("\ud800", "\ufffd")]
    assert Secret.objects.count() == 0
    assert not isinstance(value, str) or field != "value" or not value or value not in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"value": "short"}, {"value": VALUE, "name": "new"}, {"value": 1234567}])
def test_a_wrong_new_value_changes_nothing(
    client: APIClient, make_secret: Callable[..., Secret], body: dict[str, Any]
) -> None:
    secret = make_secret("gemini")
    assert client.put(f"{SECRETS}/{secret.pk}", body).status_code == 400
    assert Secret.objects.get().ciphertext == secret.ciphertext
