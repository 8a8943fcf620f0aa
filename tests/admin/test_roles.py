"""The admin's pages know the same roles as the API."""

from collections.abc import Callable

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from customchecks.jobs.models import CustomCheckJob
from secrets_app.access.models import ApiToken
from secrets_app.models import Secret, SecretGrant
from tests.factories import make_secret

JOBS = "admin:customchecks_customcheckjob"
MakeJob = Callable[..., CustomCheckJob]


@pytest.fixture
def member(browser: Client) -> Callable[[str], Client]:
    """``browser`` makes the static files plain."""

    def log_in(role: str) -> Client:
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.mark.parametrize(
    ("role", "page", "code"),
    [
        *((role, f"{JOBS}_changelist", 200) for role in ("viewer", "operator", "admin")),
        *(("viewer", f"{JOBS}_add", 403), ("operator", f"{JOBS}_add", 200), ("admin", f"{JOBS}_add", 200)),
        *((role, "admin:secrets_app_secret_changelist", 200) for role in ("viewer", "operator", "admin")),
        *((role, "admin:secrets_app_secret_add", 403) for role in ("viewer", "operator")),
        ("admin", "admin:secrets_app_secret_add", 200),
        *((role, "admin:access_apitoken_changelist", 200) for role in ("viewer", "operator", "admin")),
        *((role, "admin:auth_user_changelist", 403) for role in ("viewer", "operator")),
        ("admin", "admin:auth_user_changelist", 200),
        *((role, "admin:auditlog_logentry_changelist", 200) for role in ("viewer", "operator", "admin")),
        *((role, "admin:django_q_schedule_changelist", 200) for role in ("viewer", "operator", "admin")),
    ],
)
def test_a_page_is_for_whom_its_role_lets_in(member: Callable[[str], Client], role: str, page: str, code: int) -> None:
    assert member(role).get(reverse(page)).status_code == code


@pytest.mark.parametrize(("role", "told"), [("viewer", False), ("operator", False), ("admin", True)])
def test_the_audit_tells_of_users_to_whom_may_view_them(
    member: Callable[[str], Client], make_job: MakeJob, role: str, told: bool
) -> None:
    make_job(name="seen by all")
    User.objects.create_user("newcomer", email="newcomer@example.com")
    page = member(role).get(reverse("admin:auditlog_logentry_changelist")).content.decode()
    assert "seen by all" in page
    assert ("newcomer" in page) == told


@pytest.mark.parametrize(("role", "status"), [("viewer", "active"), ("operator", "paused"), ("admin", "paused")])
def test_an_action_is_for_whom_the_api_lets_do_it(
    member: Callable[[str], Client], make_job: MakeJob, role: str, status: str
) -> None:
    job = make_job()
    member(role).post(reverse(f"{JOBS}_changelist"), {"action": "pause", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.status == status


def test_an_operator_changes_no_secret(member: Callable[[str], Client]) -> None:
    secret = make_secret("gemini", "long enough")
    page = reverse("admin:secrets_app_secret_change", args=[secret.pk])
    assert member("operator").post(page, {"name": "other", "type": "generic", "value": ""}).status_code == 403
    assert Secret.objects.get().name == "gemini"


def test_a_job_names_its_owner_and_leads_nobody_to_a_page_that_they_may_not_see(
    member: Callable[[str], Client], make_job: MakeJob
) -> None:
    job = make_job(owner=User.objects.get(username="boss"))
    shown = member("viewer").get(reverse(f"{JOBS}_change", args=[job.pk])).content.decode()
    assert ("boss" in shown, "/admin/auth/user/" in shown) == (True, False)


def test_no_page_leads_a_viewer_to_a_user_that_they_may_not_see(member: Callable[[str], Client]) -> None:
    client, boss = member("viewer"), User.objects.get(username="boss")
    secret = make_secret("gemini", "long enough", created_by=boss)
    grant = SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=1, granted_by=boss)
    LogEntry.objects.log_create(secret, action=LogEntry.Action.UPDATE, changes={}, actor=boss, force_log=True)
    token, _ = ApiToken.objects.create(User.objects.get(username="viewer"), name="of my own")
    pages = [
        *(reverse(f"admin:secrets_app_{model}_changelist") for model in ("secret", "secretgrant")),
        reverse("admin:secrets_app_secret_change", args=[secret.pk]),
        reverse("admin:secrets_app_secretgrant_change", args=[grant.pk]),
        reverse("admin:access_apitoken_change", args=[token.pk]),
        reverse("admin:auditlog_logentry_changelist"),
    ]
    shown = {page: client.get(page).content.decode() for page in pages}
    assert [page for page, text in shown.items() if "/admin/auth/user/" in text] == []
    assert [page for page, text in shown.items() if "boss" not in text] == [pages[4]]


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_everybody_sees_and_revokes_their_own_tokens_and_no_others(member: Callable[[str], Client], role: str) -> None:
    client = member(role)
    own, _ = ApiToken.objects.create(User.objects.get(username=role), name="of my own")
    other, _ = ApiToken.objects.create(User.objects.get(username="boss"), name="of the boss")
    listed = client.get(reverse("admin:access_apitoken_changelist")).content.decode()
    assert ("of my own" in listed, "of the boss" in listed) == (True, False)
    assert "API tokens" in client.get(reverse("admin:index")).content.decode()
    client.post(reverse("admin:access_apitoken_delete", args=[other.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"}
    client.post(reverse("admin:access_apitoken_changelist"), chosen)
    client.post(reverse("admin:access_apitoken_delete", args=[own.pk]), {"post": "yes"})
    assert list(ApiToken.objects.all()) == [other]


def test_who_may_only_look_is_shown_no_field_of_a_form(member: Callable[[str], Client], make_job: MakeJob) -> None:
    secret = make_secret("gemini", "long enough")
    pages = [
        reverse(f"{JOBS}_change", args=[make_job().pk]),
        reverse("admin:secrets_app_secret_change", args=[secret.pk]),
    ]
    client = member("viewer")
    for page in pages:
        shown = client.get(page).content.decode()
        assert '<div class="readonly">None</div>' not in shown
        assert "field-value_file" not in shown
        assert "field-script " not in shown


def test_an_admin_revokes_a_token_and_makes_none(member: Callable[[str], Client]) -> None:
    token, _ = ApiToken.objects.create(User.objects.get(username="boss"), name="ci")
    client = member("admin")
    assert client.get(reverse("admin:access_apitoken_add")).status_code == 403
    assert token.digest not in client.get(reverse("admin:access_apitoken_change", args=[token.pk])).content.decode()
    client.post(reverse("admin:access_apitoken_delete", args=[token.pk]), {"post": "yes"})
    assert not ApiToken.objects.exists()
