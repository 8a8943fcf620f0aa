"""Secrets at rest, and who may use them."""

import io
import sqlite3
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, models

from secrets_app.crypto import DecryptionFailed
from secrets_app.models import Secret, SecretGrant, SecretUse
from tests.factories import CANARY

pytestmark = pytest.mark.django_db
MakeSecret = Callable[..., Secret]
MakeUser = Callable[..., User]

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "value",
    [CANARY, PEM, '{"key": "välue", "list": [1, 2]}', "SUCCESS", "true!!", "      ", "🔑🔑🔑🔑🔑🔑", "x" * 65536],
    ids=["token", "pem", "json", "status", "word", "spaces", "emoji", "64 kB"],
)
def test_a_value_is_stored_as_it_is(value: str, make_secret: MakeSecret) -> None:
    assert Secret.objects.get(pk=make_secret(value=value).pk).value() == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "too_short"),
        ("12345", "too_short"),
        ("nul\0byte", "nul"),
        ("x" * 65537, "too_long"),
        ("ü" * 32769, "too_long"),
        ("half \ud83d", "unicode"),
    ],
)
def test_a_value_that_cannot_be_used_or_masked_is_refused(value: str, code: str) -> None:
    secret = Secret(name="api")
    with pytest.raises(ValidationError) as caught:
        secret.set_value(value)
    assert caught.value.code == code
    assert secret.ciphertext == ""
    assert not value or value not in str(caught.value)


def test_a_short_value_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="cannot be masked"):
        Secret(name="api").set_value("12345")


@pytest.mark.parametrize("name", ["12", " api", "a\nb", "a\0b", ""])
def test_a_name_that_cannot_be_told_apart_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Secret(name=name, ciphertext="v1").full_clean()
    assert set(caught.value.message_dict) == {"name"}


def test_a_secret_shows_its_name_and_never_its_value(make_secret: MakeSecret) -> None:
    secret = make_secret()
    assert str(secret) == "api"
    assert CANARY not in repr(secret) + str(vars(secret))


def test_a_dump_of_the_database_holds_no_value(make_secret: MakeSecret) -> None:
    make_secret()
    connection.ensure_connection()
    assert isinstance(connection.connection, sqlite3.Connection)
    dump = "\n".join(connection.connection.iterdump())
    assert "v1:" in dump
    assert CANARY not in dump


def test_dumpdata_holds_the_ciphertext_only(make_secret: MakeSecret) -> None:
    secret = make_secret()
    out = io.StringIO()
    call_command("dumpdata", "secrets_app", stdout=out)
    assert secret.ciphertext in out.getvalue()
    assert CANARY not in out.getvalue()


def test_ciphertexts_that_were_swapped_cannot_be_read(make_secret: MakeSecret) -> None:
    first, second = make_secret("first"), make_secret("second", value="another value")
    first.ciphertext, second.ciphertext = second.ciphertext, first.ciphertext
    for secret in (first, second):
        with pytest.raises(DecryptionFailed):
            secret.value()


def test_a_secret_that_a_job_was_granted_cannot_be_deleted(make_secret: MakeSecret) -> None:
    secret = make_secret()
    SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=1)
    with pytest.raises(models.ProtectedError):
        secret.delete()


def test_the_audit_outlives_the_secret(make_secret: MakeSecret) -> None:
    secret = make_secret()
    use = SecretUse.objects.create(secret=secret, secret_name="api", job_kind="custom", job_id=1, check_id=uuid4())
    secret.delete()
    use.refresh_from_db()
    assert (use.secret, use.secret_name) == (None, "api")


def test_a_secret_that_names_nobody_is_for_everyone_with_the_permission(
    make_secret: MakeSecret, make_user: MakeUser
) -> None:
    secret = make_secret()
    assert list(Secret.objects.usable_by(make_user("with", "use_secret"))) == [secret]
    assert not Secret.objects.usable_by(make_user("without")).exists()


def test_a_secret_that_names_users_is_for_them_alone(make_secret: MakeSecret, make_user: MakeUser) -> None:
    secret, named, other = make_secret(), make_user("named"), make_user("other", "use_secret")
    secret.allowed_users.set([named, make_user("second")])
    assert list(Secret.objects.usable_by(named)) == [secret]
    assert not Secret.objects.usable_by(other).exists()


def test_a_superuser_uses_every_secret(make_secret: MakeSecret, make_user: MakeUser) -> None:
    make_secret().allowed_users.add(make_user("named"))
    assert Secret.objects.usable_by(User.objects.create_superuser("root")).count() == 1


def test_a_closed_account_and_a_stranger_use_none(make_secret: MakeSecret) -> None:
    make_secret()
    closed = User.objects.create_superuser("closed", is_active=False)
    assert not Secret.objects.usable_by(closed).exists()
    assert not Secret.objects.usable_by(AnonymousUser()).exists()
