"""Secrets go in and never come out."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from secrets_app.models import Secret

pytestmark = pytest.mark.django_db
PATH = "/api/admin/secrets"
BODY = {"name": "key", "type": "openai", "value": "sk-a-long-value"}


def test_a_secret_is_stored_and_its_value_never_shown(client: APIClient) -> None:
    created = client.post(PATH, BODY, format="json")
    assert created.status_code == 201
    assert set(created.json()) == {"id", "name", "type", "created_at"}
    for answer in (client.get(PATH), client.get(f"{PATH}/{created.json()['id']}")):
        assert "sk-a-long-value" not in answer.content.decode()
    assert Secret.objects.get().value() == "sk-a-long-value"


def test_the_list_has_its_envelope(client: APIClient) -> None:
    client.post(PATH, BODY, format="json")
    answer = client.get(PATH).json()
    assert (answer["total"], answer["secrets"][0]["name"]) == (1, "key")


def test_a_taken_name_is_a_conflict(client: APIClient) -> None:
    client.post(PATH, BODY, format="json")
    assert client.post(PATH, BODY, format="json").status_code == 409


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", "short"), ("value", "nul\0nul"), ("value", None), ("type", "ftp"), ("name", ""), ("odd", 1)],
)
def test_a_wrong_field_is_refused_by_name(client: APIClient, field: str, value: object) -> None:
    answer = client.post(PATH, BODY | {field: value}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Secret.objects.exists()


def test_a_new_value_replaces_the_old(client: APIClient) -> None:
    secret_id = client.post(PATH, BODY, format="json").json()["id"]
    assert client.put(f"{PATH}/{secret_id}", {"value": "another value"}, format="json").status_code == 200
    assert Secret.objects.get().value() == "another value"


def test_a_secret_in_use_cannot_be_deleted_and_a_free_one_can(client: APIClient, create: Callable[..., Any]) -> None:
    secret_id = client.post(PATH, BODY, format="json").json()["id"]
    job_id = create(env_vars={"KEY": "secret_ref:key"}).json()["id"]
    refused = client.delete(f"{PATH}/{secret_id}")
    assert refused.status_code == 409
    assert str(job_id) in refused.json()["detail"]
    client.delete(f"/api/custom-checks/{job_id}")
    assert client.delete(f"{PATH}/{secret_id}").status_code == 204
