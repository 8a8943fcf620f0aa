"""A value that was replaced stays masked while somebody may still repeat it."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from customchecks import tasks
from secrets_app import previous_values
from secrets_app.masking.masker import MASK, Masker
from secrets_app.models import Secret
from secrets_app.previous_values import FORMER_DAYS, MOST_FORMER
from secrets_app.references import grant, resolve
from tests.factories import CANARY
from tests.secrets_app.conftest import key_setting

MakeSecret = Callable[..., Secret]
DAY = 86_400


@pytest.fixture
def secret(make_secret: MakeSecret, db: None) -> Secret:
    secret = make_secret()
    grant([secret], job_kind="custom", job_id=1, user=User.objects.create_superuser("giver"))
    return secret


def change(secret: Secret, value: str) -> None:
    fresh = Secret.objects.get(pk=secret.pk)
    fresh.set_value(value)
    fresh.save(update_fields=["ciphertext", "updated_at"])


def masker() -> Masker:
    return resolve({"A": "secret_ref:api"}, job_kind="custom", job_id=1, check_id=uuid4()).masker


def test_the_old_value_is_masked_beside_the_new_one(secret: Secret) -> None:
    change(secret, "another value")
    assert masker().text(f"{CANARY} and another value") == f"{MASK} and {MASK}"
    assert Secret.objects.get(pk=secret.pk).value() == "another value"


def test_several_old_values_are_masked_the_newest_of_them(secret: Secret) -> None:
    for number in range(MOST_FORMER + 1):
        change(secret, f"value number {number}")
    masked = masker().text(" ".join(f"<value number {number}>" for number in range(MOST_FORMER + 1)))
    assert masked == " ".join([f"<{MASK}>"] * (MOST_FORMER + 1))
    assert masker().text(CANARY) == CANARY


def test_after_a_week_it_is_not_masked_and_then_not_stored(secret: Secret) -> None:
    change(secret, "another value")
    with time_machine.travel(time.time() + (FORMER_DAYS - 1) * DAY):
        assert masker().text(CANARY) == MASK
        assert previous_values.forget(Secret.objects.all(), timezone.now()) == 0
    with time_machine.travel(time.time() + (FORMER_DAYS + 1) * DAY):
        assert masker().text(CANARY) == CANARY
        assert tasks.collect()["former_values"] == 1
    assert Secret.objects.get(pk=secret.pk).former == []
    assert Secret.objects.get(pk=secret.pk).value() == "another value"


def test_what_is_kept_is_encrypted_and_shown_nowhere(secret: Secret) -> None:
    boss = User.objects.create_superuser("boss")
    client = APIClient()
    client.force_authenticate(boss)
    answer = client.put(f"/api/admin/secrets/{secret.pk}", {"value": "another value"})
    assert answer.status_code == 200
    assert masker().text(CANARY) == MASK
    stored = Secret.objects.get(pk=secret.pk)
    assert CANARY not in json.dumps(stored.former)
    assert not {"former", "ciphertext"} & set(client.get(f"/api/admin/secrets/{secret.pk}").json())
    assert '"former"' not in client.get("/api/audit").content.decode()


def test_a_new_key_takes_the_old_values_too(secret: Secret, settings: Settings) -> None:
    old, new = settings.TECKO_KEYS[0], key_setting("new")
    change(secret, "another value")
    settings.TECKO_KEYS = [new, old]
    call_command("rotate_keys", verbosity=0)
    settings.TECKO_KEYS = [new]
    assert masker().text(f"{CANARY} another value") == f"{MASK} {MASK}"


def test_a_value_that_was_replaced_under_the_new_key_moves_too(secret: Secret, settings: Settings) -> None:
    old, new = settings.TECKO_KEYS[0], key_setting("new")
    settings.TECKO_KEYS = [new, old]
    change(secret, "another value")
    call_command("rotate_keys", verbosity=0)
    settings.TECKO_KEYS = [new]
    assert masker().text(CANARY) == MASK


def test_an_old_value_that_cannot_be_read_stops_no_check(secret: Secret, settings: Settings) -> None:
    old, new = settings.TECKO_KEYS[0], key_setting("new")
    settings.TECKO_KEYS = [new, old]
    change(secret, "another value")
    settings.TECKO_KEYS = [new]
    assert masker().text("another value") == MASK


def test_a_first_value_leaves_nothing_behind(make_secret: MakeSecret) -> None:
    assert make_secret("fresh").former == []
    assert timedelta(days=FORMER_DAYS) > timedelta(hours=30)  # longer than a delivery's attempts
