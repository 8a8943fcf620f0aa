"""The admin of secrets: write-only values, read-only audit."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse

from secrets_app.admin import SecretAdmin, SecretForm
from secrets_app.models import Secret, SecretGrant, SecretUse
from tests.factories import CANARY

pytestmark = pytest.mark.django_db
MakeSecret = Callable[..., Secret]

ADD = "admin:secrets_app_secret_add"
CHANGE = "admin:secrets_app_secret_change"
NO_GRANTS = {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}


@pytest.fixture
def admin_page() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def form(**fields: Any) -> dict[str, Any]:
    return {"name": "api", "type": "generic", **NO_GRANTS, **fields}


def page(client: Client, name: str, *args: Any) -> str:
    return client.get(reverse(name, args=args)).content.decode()


def test_a_secret_is_added_with_its_value_and_its_maker(admin_page: Client) -> None:
    answer = admin_page.post(reverse(ADD), form(value=CANARY))
    secret = Secret.objects.get()
    assert answer.status_code == 302
    assert (secret.value(), secret.created_by) == (CANARY, User.objects.get())


def test_a_value_of_several_lines_comes_from_a_file(admin_page: Client) -> None:
    pem = "-----BEGIN KEY-----\nabcdef\n"
    admin_page.post(reverse(ADD), form(value_file=SimpleUploadedFile("key.pem", pem.encode())))
    assert Secret.objects.get().value() == pem


def test_a_newline_at_the_end_of_a_files_line_is_left_out_with_a_word(admin_page: Client) -> None:
    posted = form(value_file=SimpleUploadedFile("key.txt", f"{CANARY}\n".encode()))
    shown = admin_page.post(reverse(ADD), posted, follow=True).content.decode()
    assert Secret.objects.get().value() == CANARY
    assert "A newline at the end of the file was left out." in shown


def test_a_name_that_is_taken_is_told_what_to_do(admin_page: Client) -> None:
    admin_page.post(reverse(ADD), form(value=CANARY))
    shown = admin_page.post(reverse(ADD), form(value=CANARY)).content.decode()
    assert "already: give that one a new value, or choose another name." in shown


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs a value"),
        ({"value": "12345"}, "cannot be masked"),
        ({"value": CANARY, "value_file": SimpleUploadedFile("a", b"another value")}, "not both"),
        ({"value_file": SimpleUploadedFile("a", b"\xff\xfe binary")}, "no UTF-8"),
        ({"value_file": SimpleUploadedFile("a", b"x" * 65537)}, "64 kB"),
        ({"value": CANARY, "name": "12"}, "digits only"),
    ],
)
def test_a_wrong_form_is_refused_and_shows_no_value(fields: dict[str, Any], message: str, admin_page: Client) -> None:
    shown = admin_page.post(reverse(ADD), form(**fields)).content.decode()
    assert message in shown
    assert CANARY not in shown
    assert not Secret.objects.exists()


def test_an_empty_value_keeps_the_stored_one(admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    admin_page.post(reverse(CHANGE, args=[secret.pk]), form(name="renamed", value=""))
    secret.refresh_from_db()
    assert (secret.name, secret.value()) == ("renamed", CANARY)


def test_a_new_value_replaces_the_stored_one(admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    admin_page.post(reverse(CHANGE, args=[secret.pk]), form(value="another value"))
    secret.refresh_from_db()
    assert secret.value() == "another value"


def test_the_value_has_an_empty_password_field(admin_page: Client, make_secret: MakeSecret) -> None:
    shown = page(admin_page, CHANGE, make_secret().pk)
    [field] = [part for part in shown.split("<input")[1:] if 'name="value"' in part]
    assert 'type="password"' in field.partition(">")[0]
    assert "value=" not in field.partition(">")[0].replace('name="value"', "")


@pytest.mark.parametrize("name", ["changelist", "change", "history", "delete"])
def test_no_page_shows_the_value_or_its_ciphertext(name: str, admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    admin_page.post(reverse(CHANGE, args=[secret.pk]), form(value=CANARY))
    secret.refresh_from_db()
    shown = page(admin_page, f"admin:secrets_app_secret_{name}", *([] if name == "changelist" else [secret.pk]))
    assert "api" in shown
    assert CANARY not in shown
    assert secret.ciphertext not in shown


def test_the_history_of_the_admin_holds_no_value(admin_page: Client, make_secret: MakeSecret) -> None:
    admin_page.post(reverse(CHANGE, args=[make_secret().pk]), form(value="another value"))
    entry = LogEntry.objects.get()
    assert "another value" not in f"{vars(entry)}"


def test_a_save_does_not_undo_a_rotation_that_ran_meanwhile(rf: RequestFactory, make_secret: MakeSecret) -> None:
    secret = make_secret()
    filled = SecretForm({"name": "renamed", "type": "generic"}, instance=Secret.objects.get(pk=secret.pk))
    assert filled.is_valid()
    Secret.objects.filter(pk=secret.pk).update(ciphertext="v1:new:text")
    SecretAdmin(Secret, admin.site).save_model(rf.post("/"), filled.save(commit=False), filled, change=True)
    assert Secret.objects.values_list("name", "ciphertext").get() == ("renamed", "v1:new:text")


def test_a_secret_in_use_is_not_deleted_and_its_job_is_named(admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=77)
    url = reverse("admin:secrets_app_secret_delete", args=[secret.pk])
    assert "custom 77" in admin_page.get(url).content.decode()
    admin_page.post(url, {"post": "yes"})
    assert Secret.objects.filter(pk=secret.pk).exists()


def test_a_secret_that_no_job_uses_is_deleted(admin_page: Client, make_secret: MakeSecret) -> None:
    admin_page.post(reverse("admin:secrets_app_secret_delete", args=[make_secret().pk]), {"post": "yes"})
    assert not Secret.objects.exists()


def test_a_grant_is_revoked_on_the_page_of_its_secret(admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    grant = SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=1)
    ticked = {
        "grants-TOTAL_FORMS": "1",
        "grants-INITIAL_FORMS": "1",
        "grants-0-id": str(grant.pk),
        "grants-0-secret": str(secret.pk),
        "grants-0-DELETE": "on",
    }
    assert "grants-0-DELETE" in page(admin_page, CHANGE, secret.pk)
    admin_page.post(reverse(CHANGE, args=[secret.pk]), form(**ticked))
    assert not SecretGrant.objects.exists()


@pytest.mark.parametrize("model", ["secretgrant", "secretuse"])
def test_grants_and_uses_are_listed(model: str, admin_page: Client, make_secret: MakeSecret) -> None:
    secret = make_secret()
    SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=77)
    SecretUse.objects.create(secret=secret, secret_name="api", job_kind="custom", job_id=77, check_id=uuid4())
    assert "77" in page(admin_page, f"admin:secrets_app_{model}_changelist")


@pytest.mark.parametrize("model", ["secretgrant", "secretuse"])
def test_grants_and_uses_are_not_made_by_hand(model: str, admin_page: Client) -> None:
    assert admin_page.get(reverse(f"admin:secrets_app_{model}_add")).status_code == 403


@pytest.mark.parametrize("name", ["change", "delete"])
def test_the_audit_is_not_changed(name: str, admin_page: Client) -> None:
    use = SecretUse.objects.create(secret_name="api", job_kind="custom", job_id=1, check_id=uuid4())
    url = reverse(f"admin:secrets_app_secretuse_{name}", args=[use.pk])
    assert admin_page.post(url, {"secret_name": "other", "post": "yes"}).status_code == 403
    use.refresh_from_db()
    assert use.secret_name == "api"


def test_staff_without_the_permission_see_no_secrets(client: Client, make_user: Callable[..., User]) -> None:
    client.force_login(make_user("staff", "use_secret"))
    assert client.get(reverse("admin:secrets_app_secret_changelist")).status_code == 403
