"""Who changed what: in the API and the admin; and what is never written down."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.archives.script_archive import normalise
from customchecks.jobs import versions
from customchecks.jobs.models import CustomCheckJob, ScriptVersion
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from secrets_app.access.models import ApiToken, Scope
from secrets_app.models import Secret
from teckochecker.access.auditing import AUDITED
from tests.api.conftest import JOBS, PASSWORD, config
from tests.api.test_passwords import basic
from tests.factories import tgz

AUDIT = "/api/audit"
MakeJob = Callable[..., CustomCheckJob]
# Written by checks and calls, or told by the row that they belong to
NOT_AUDITED = {
    *("customchecks.ScriptArchive", "customchecks.CustomCheckLog", "customchecks.DependencySet", "customchecks.Trial"),
    *("polling.Batch", "polling.PollingLog", "polling.Delivery", "polling.DeliveryAttempt", "polling.SweepLease"),
    *("polling.GroupMember", "polling.ClockLook", "polling.QueueProof"),
    *("secrets_app.SecretUse", "secrets_app.KeyFingerprint"),
}


@pytest.fixture
def entries(client: APIClient) -> Callable[..., list[dict[str, Any]]]:
    def listed(**filters: Any) -> list[dict[str, Any]]:
        answer = client.get(AUDIT, filters)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["entries"]
        return found

    return listed


def models() -> Iterator[str]:
    for app in ("access", "secrets_app", "polling", "customchecks"):
        yield from (model._meta.label for model in apps.get_app_config(app).get_models())


@pytest.mark.parametrize("label", list(models()))
def test_of_every_model_it_is_decided_whether_it_is_audited(label: str) -> None:
    assert (label in AUDITED) != (label in NOT_AUDITED), (
        f"Should changes of {label} be audited? Add it to AUDITED in "
        "teckochecker/access/auditing.py, or to NOT_AUDITED here."
    )


def test_a_job_is_told_from_its_making_to_its_end(boss: User, entries: Any) -> None:
    person = APIClient()
    person.credentials(**basic())
    job = f"{JOBS}/{person.post(JOBS, config()).json()['id']}"
    person.patch(job, {"poll_interval_seconds": 60})
    person.delete(job)
    deleted, changed, created = entries(model="customchecks.CustomCheckJob")
    assert [entry["action"] for entry in (created, changed, deleted)] == ["create", "update", "delete"]
    assert created["changes"]["name"] == ["None", "nightly"]
    assert changed["changes"] == {"poll_interval_seconds": ["120", "60"]}
    assert (changed["actor"], changed["via"], changed["address"]) == ("boss", "password", "127.0.0.1")


@pytest.mark.parametrize("verb", ["pause", "trigger"])
def test_what_somebody_asks_of_a_job_is_told(create_job: MakeJob, client: APIClient, entries: Any, verb: str) -> None:
    job = create_job()
    client.post(f"{JOBS}/{job.pk}/{verb}")
    (entry,) = entries(object_id=job.pk, action="update")
    assert (entry["event"], entry["actor"]) == ({"pause": "paused", "trigger": "triggered"}[verb], "boss")
    assert entry["changes"] == ({"status": ["active", "paused"]} if verb == "pause" else {})


def test_an_uploaded_script_is_told_and_a_commit_that_a_check_found_is_not(
    create_job: MakeJob, boss: User, entries: Any
) -> None:
    job = create_job()
    (uploaded,) = entries(model="customchecks.scriptversion")
    assert uploaded["changes"]["number"] == ["None", "1"]
    versions.add(job, normalise(io.BytesIO(tgz({"main.py": "print(1)"}))), commit="c" * 40)
    assert ScriptVersion.objects.count() == 2
    assert len(entries(model="customchecks.scriptversion")) == 1


def test_the_members_of_a_group_are_told(create_job: MakeJob, client: APIClient, entries: Any) -> None:
    one, other = create_job(name="one"), create_job(name="other")
    asked = {"name": "both", "webhook_url": "https://hooks.example.com/", "members": [{"kind": "custom", "id": one.pk}]}
    made = client.post("/api/groups", asked)
    assert made.status_code == 201, made.content
    client.put(f"/api/groups/{made.json()['id']}", {"members": [{"kind": "custom", "id": other.pk}]})
    told = [entry["changes"]["members"] for entry in entries(model="polling.jobgroup") if entry["event"] == "members"]
    assert told == [[f"custom {one.pk}", f"custom {other.pk}"], ["", f"custom {one.pk}"]]


def test_a_token_is_named(boss: User, entries: Any) -> None:
    _, token = ApiToken.objects.create(boss, name="ci", scope=Scope.OPERATE)
    APIClient().post(JOBS, config(), HTTP_AUTHORIZATION=f"Token {token}")
    assert {(entry["actor"], entry["via"]) for entry in entries(actor="boss")} == {("boss", "token ci")}


def test_the_admin_is_told_with_its_user(boss: User, entries: Any) -> None:
    browser = Client()
    browser.force_login(boss)
    page = reverse("admin:auth_group_add")
    assert browser.post(page, {"name": "night shift", "permissions": []}).status_code == 302
    (entry,) = entries(model="auth.group", action="create", actor="boss")
    assert (entry["object"], entry["via"]) == ("night shift", "session")


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00", "yesterday"])
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_that_no_calendar_has_is_refused(client: APIClient, name: str, time: str) -> None:
    answer = client.get(AUDIT, {name: time})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


@pytest.mark.parametrize(("scope", "told"), [(Scope.READ, False), (Scope.OPERATE, False), (Scope.ADMIN, True)])
def test_users_and_tokens_are_told_only_to_whom_may_view_them(
    create_job: MakeJob, boss: User, scope: Scope, told: bool
) -> None:
    create_job()
    _, token = ApiToken.objects.create(boss, name="ci", scope=scope)
    reader = APIClient(headers={"Authorization": f"Token {token}"})
    found = {entry["model"] for entry in reader.get(AUDIT).json()["entries"]}
    assert "customchecks.customcheckjob" in found
    assert [model in found for model in ("auth.user", "access.apitoken")] == [told, told]


def test_a_check_writes_no_entry(create_job: MakeJob) -> None:
    create_job()
    before, now = LogEntry.objects.count(), timezone.now()
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
    assert claims.record(claim, CheckResult(verdict=Verdict.SUCCESS, data={"a": 1}, state={"b": 2}), now=now)
    assert LogEntry.objects.count() == before


def test_no_value_of_a_secret_is_written_down(client: APIClient, make_secret: Any, entries: Any) -> None:
    secret = make_secret("gemini", "canary-7Hq9/Zw")
    client.put(f"/api/admin/secrets/{secret.pk}", {"value": "canary-other"})
    changed, created = entries(model="secrets_app.secret")
    assert changed["changes"] == {"ciphertext": ["***", "***"]}
    assert created["changes"]["ciphertext"] == ["None", "***"]
    stored = Secret.objects.get().ciphertext
    written = "".join(f"{entry.changes}{entry.serialized_data}" for entry in LogEntry.objects.all())
    assert "canary" not in written
    assert stored not in written


def test_of_a_jobs_environment_only_references_are_told(client: APIClient, make_secret: Any, entries: Any) -> None:
    make_secret("gemini")
    env_vars = {"API_KEY": "secret_ref:gemini", "PASSWORD": "plain canary", "BOTH": "canary:secret_ref:gemini/canary"}
    client.post(JOBS, config(env_vars=env_vars))
    (entry,) = entries(model="customchecks.customcheckjob")
    told = {"API_KEY": "secret_ref:gemini", "PASSWORD": "***", "BOTH": "***secret_ref:gemini***"}
    assert json.loads(entry["changes"]["env_vars"][1]) == told


def test_of_a_user_password_and_last_login_are_not_told(boss: User, entries: Any) -> None:
    browser = Client()
    browser.post("/admin/login/", {"username": "boss", "password": PASSWORD})
    boss.groups.add(Group.objects.get(name="viewer"))
    joined, created = entries(model="auth.user")
    assert joined["changes"]["groups"]["objects"] == ["viewer"]
    assert created["changes"]["password"][1] == "***"


def test_what_is_rolled_back_leaves_no_entry(client: APIClient, create_job: MakeJob) -> None:
    job, before = create_job(), LogEntry.objects.count()
    assert client.post(f"{JOBS}/{job.pk}/resume").status_code == 409
    assert client.put(f"{JOBS}/{job.pk}", {"poll_interval_seconds": 1}).status_code == 400
    assert LogEntry.objects.count() == before


def test_entries_are_found_by_time(create_job: MakeJob, entries: Any) -> None:
    create_job()
    at = LogEntry.objects.filter(content_type__model="customcheckjob").get().timestamp.isoformat()
    assert len(entries(since=at, model="customchecks.customcheckjob")) == 1
    assert entries(until=at, model="customchecks.customcheckjob") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "access"},
        {"since": "yesterday"},
        {"since": ""},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "2026-13-01T00:00:00Z"},
    ],
)
def test_a_wrong_filter_is_refused_by_name(client: APIClient, asked: dict[str, str]) -> None:
    answer = client.get(AUDIT, asked)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(asked))


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_the_admin_tells_way_address_and_event(client: APIClient, boss: User, create_job: MakeJob, page: str) -> None:
    client.post(f"{JOBS}/{create_job().pk}/pause", REMOTE_ADDR="127.0.0.9")
    browser, entry = Client(), LogEntry.objects.order_by("pk").last()
    browser.force_login(boss)
    shown = browser.get(reverse(f"admin:auditlog_logentry_{page}", args=[entry.pk] if page == "change" else []))
    text = shown.content.decode()
    assert [word for word in ("127.0.0.9", "paused", entry.additional_data["via"]) if f">{word}<" not in text] == []


def test_nobody_changes_an_entry_in_the_admin(boss: User, create_job: MakeJob) -> None:
    create_job()
    browser, entry = Client(), LogEntry.objects.first()
    browser.force_login(boss)
    pages = {page: reverse(f"admin:auditlog_logentry_{page}", args=[entry.pk]) for page in ("change", "delete")}
    assert browser.get(reverse("admin:auditlog_logentry_changelist")).status_code == 200
    assert browser.get(pages["change"]).status_code == 200
    assert [browser.post(page, {"post": "yes"}).status_code for page in pages.values()] == [403, 403]
    assert browser.get(reverse("admin:auditlog_logentry_add")).status_code == 403
