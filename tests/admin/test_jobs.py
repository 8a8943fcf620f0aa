"""The job's form and its actions."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from secrets_app.models import SecretGrant
from tests.admin.conftest import make_log, upload
from tests.factories import make_secret

MakeJob = Callable[..., CustomCheckJob]
LIST = "admin:customchecks_customcheckjob_changelist"
ADD = "admin:customchecks_customcheckjob_add"
CHANGE = "admin:customchecks_customcheckjob_change"
DELETE = "admin:customchecks_customcheckjob_delete"


def form(**fields: Any) -> dict[str, Any]:
    """What a browser sends for the job of ``make_job``."""
    return {
        "name": "nightly",
        "poll_interval_seconds": "120",
        "timeout_seconds": "300",
        "resource_limits": "",
        "script_source_type": "upload",
        "script_git_url": "",
        "script_git_branch": "main",
        "script_git_commit": "",
        "script_git_path": "",
        "script_git_token": "",
        "script_source_policy": "last_good",
        "script_runtime": "python",
        "script_entrypoint": "main.py",
        "check_params": "{}",
        "env_vars": "",
        "webhook_url": "",
        "webhook_method": "POST",
        "webhook_headers": "",
        "webhook_query_params": "",
        "deadline_seconds": "604800",
        "max_checks": "100000",
        "max_consecutive_errors": "25",
        "alert_after_errors": "5",
        "alert_url": "",
        "keboola_stack_url": "",
        "keboola_component_id": "",
        "keboola_configuration_id": "",
        "keboola_token": "",
        "keboola_variables": "",
        "keboola_on": "success",
        **fields,
    }


def save(browser: Client, job: CustomCheckJob, **fields: Any) -> Any:
    answer = browser.post(reverse(CHANGE, args=[job.pk]), form(**fields))
    job.refresh_from_db()
    return answer


def test_a_job_is_added_with_its_script_and_is_due(browser: Client) -> None:
    answer = browser.post(
        reverse(ADD), form(script=upload({"main.py": "print(1)"}), script_entrypoint="", check_params="")
    )
    job = CustomCheckJob.objects.get()
    assert answer.status_code == 302
    assert (job.script_entrypoint, job.check_params, job.owner) == ("main.py", {}, User.objects.get())
    assert job.script_archive is not None
    assert job.next_check_at is not None


def test_a_job_without_its_script_waits_for_it(browser: Client) -> None:
    answer = browser.post(reverse(ADD), form(), follow=True)
    job = CustomCheckJob.objects.get()
    assert job.next_check_at is None
    assert "The job has no script yet: upload one first." in map(str, answer.context["messages"])
    save(browser, job, script=upload({"main.py": "print(2)"}))
    assert job.next_check_at is not None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"script": upload({"other.py": "x"})}, "script_entrypoint"),
        ({"poll_interval_seconds": "3"}, "poll_interval_seconds"),
        ({"deadline_seconds": "9"}, "deadline_seconds"),
        ({"max_checks": "0"}, "max_checks"),
        ({"max_consecutive_errors": "1001"}, "max_consecutive_errors"),
        ({"alert_after_errors": "0"}, "alert_after_errors"),
        ({"alert_url": "http://127.0.0.1/"}, "alert_url"),
        ({"keboola_component_id": "kds.app"}, "keboola_token"),
        ({"keboola_variables": json.dumps({"x": "{odd}"})}, "keboola_variables"),
        ({"env_vars": json.dumps({"PATH": "x"})}, "env_vars"),
        ({"check_params": json.dumps({"run-id": 1})}, "check_params"),
        ({"env_vars": "[1]"}, "env_vars"),
        ({"env_vars": json.dumps({"KEY": "secret_ref:nobody"})}, "env_vars"),
        ({"webhook_headers": json.dumps({"X-Key": "secret_ref:nobody"})}, "webhook_headers"),
        ({"script_git_token": "secret_ref:nobody"}, "script_git_token"),
        ({"keboola_token": "secret_ref:nobody"}, "keboola_token"),
        ({"webhook_url": "http://169.254.169.254/"}, "webhook_url"),
        ({"resource_limits": json.dumps({"memory_mb": 1})}, "resource_limits"),
        ({"script_entrypoint": "../main.py"}, "script_entrypoint"),
        ({"script_source_type": "git", "script_git_url": "http://127.1/x"}, "script_git_url"),
        ({"script_git_url": "ext::sh -c id"}, "script_git_url"),
    ],
)
def test_a_wrong_field_is_refused_at_the_field(fields: dict[str, Any], field: str, browser: Client) -> None:
    answer = browser.post(reverse(ADD), form(**fields))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not CustomCheckJob.objects.exists()


def test_a_broken_archive_is_refused_at_the_upload(browser: Client) -> None:
    broken = upload({"main.py": "x"})
    broken.file.write(b"not a gzip stream")
    broken.file.seek(0)
    answer = browser.post(reverse(ADD), form(script=broken))
    assert "script" in answer.context["adminform"].form.errors
    assert not CustomCheckJob.objects.exists()


def test_a_secret_that_is_named_is_granted_and_taken_back(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    make_secret()
    save(browser, job, env_vars=json.dumps({"KEY": "Bearer secret_ref:api"}))
    assert SecretGrant.objects.get().job_id == job.pk
    save(browser, job)
    assert not SecretGrant.objects.exists()


def test_a_form_that_was_open_while_the_job_ended_does_not_revive_it(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    browser.get(reverse(CHANGE, args=[job.pk]))
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="test", now=timezone.now(), fits=lambda _: True)
    claims.record(claim, CheckResult(verdict=Verdict.SUCCESS, data={"n": 1}), now=timezone.now())
    save(browser, job, name="renamed", poll_interval_seconds="600")
    assert (job.name, job.status, job.next_check_at) == ("renamed", "completed", None)
    assert (job.last_check_data, job.check_count) == ({"n": 1}, 1)


def test_state_columns_cannot_be_sent_with_the_form(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    before = CustomCheckJob.objects.filter(pk=job.pk).values().get()
    save(browser, job, status="completed", next_check_at="", cycle="9", state='{"a": 1}', check_count="7", owner="1")
    assert CustomCheckJob.objects.filter(pk=job.pk).values().get() == before


def test_a_new_interval_counts_from_the_last_check(browser: Client, make_job: MakeJob) -> None:
    checked = timezone.now() - timedelta(seconds=30)
    job = make_job(last_check_at=checked, next_check_at=checked + timedelta(seconds=120))
    save(browser, job, poll_interval_seconds="3600")
    assert job.next_check_at == checked + timedelta(seconds=3600)


def test_limits_are_set_and_where_a_job_stands_is_shown(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    claims.claim_due(CustomCheckJob, host="test", now=timezone.now(), fits=lambda _: True)
    save(browser, job, deadline_seconds="3600", max_checks="9", alert_after_errors="")
    assert (job.deadline_seconds, job.max_checks, job.alert_after_errors) == (3600, 9, None)
    assert job.deadline_at < timezone.now() + timedelta(hours=1)
    page = browser.get(reverse(CHANGE, args=[job.pk])).content.decode()
    assert all(f"field-{name}" in page for name in ("progress", "next_check_in", "deadline_at", "alerting"))


def test_a_value_can_be_emptied(browser: Client, make_job: MakeJob) -> None:
    job = make_job(env_vars={"A": "b"}, webhook_url="https://hooks.example.com/x", check_params={"a": 1})
    save(browser, job, check_params="")
    assert (job.env_vars, job.webhook_url or None, job.check_params) == (None, None, {})


def test_json_is_shown_indented_for_editing(browser: Client, make_job: MakeJob) -> None:
    job = make_job(check_params={"a": {"b": 1}})
    page = browser.get(reverse(CHANGE, args=[job.pk])).content.decode()
    assert "{\n  &quot;a&quot;: {\n    &quot;b&quot;: 1\n  }\n}" in page


def act(browser: Client, action: str, *jobs: CustomCheckJob, **more: str) -> Any:
    posted = {"action": action, "_selected_action": [str(job.pk) for job in jobs], **more}
    return browser.post(reverse(LIST), posted, follow=True)


@pytest.mark.parametrize(
    ("status", "action", "ends"),
    [
        ("active", "pause", "paused"),
        ("paused", "resume", "active"),
        ("completed", "restart", "active"),
        ("paused", "trigger", "paused"),
    ],
)
def test_an_action_moves_the_chosen_jobs(
    status: str, action: str, ends: str, browser: Client, make_job: MakeJob
) -> None:
    chosen, other = make_job("chosen", status=status), make_job("other", status=status)
    act(browser, action, chosen)
    chosen.refresh_from_db()
    other.refresh_from_db()
    assert (chosen.status, other.status) == (ends, status)
    assert LogEntry.objects.get().object_id == str(chosen.pk)


def test_a_restart_that_calls_a_webhook_again_is_asked_about(browser: Client, make_job: MakeJob) -> None:
    job = make_job(status="completed", webhook_url="https://93.184.215.14/")
    asked = act(browser, "restart", job, _from_job="1").content.decode()
    assert f"custom {job.pk} (nightly): webhook https://93.184.215.14" in asked
    job.refresh_from_db()
    assert job.status == "completed"
    act(browser, "restart", job, _from_job="1", confirmed="yes")
    job.refresh_from_db()
    assert job.status == "active"


def test_a_refused_action_says_why(browser: Client, make_job: MakeJob) -> None:
    shown = act(browser, "resume", make_job()).content.decode()
    assert "Job nightly: A job that is active cannot be resumed; it must be paused." in shown


def test_no_action_changes_anything_on_get(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    browser.get(reverse(LIST), {"action": "pause", "_selected_action": job.pk})
    job.refresh_from_db()
    assert job.status == "active"


def test_a_job_has_buttons_for_what_it_may_do_and_stays_on_its_page(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    shown = browser.get(reverse(CHANGE, args=[job.pk])).content.decode()
    assert 'name="action" value="pause"' in shown
    assert 'name="action" value="resume"' not in shown
    answer = act(browser, "pause", job, _from_job="1")
    assert answer.redirect_chain[-1][0] == reverse(CHANGE, args=[job.pk])


def test_who_may_only_look_cannot_act(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_customcheckjob"))
    browser.force_login(viewer)
    assert browser.get(reverse(CHANGE, args=[job.pk])).status_code == 200
    act(browser, "pause", job)
    assert save(browser, job, name="renamed").status_code == 403
    assert (job.status, job.name) == ("active", "nightly")


def test_a_job_is_deleted_with_its_logs_and_grants(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    make_log(job)
    SecretGrant.objects.create(secret=make_secret(), job_kind=job.kind, job_id=job.pk)
    asked = browser.get(reverse(DELETE, args=[job.pk])).content.decode()
    assert "custom check logs: 1" in asked.lower()
    browser.post(reverse(DELETE, args=[job.pk]), {"post": "yes"})
    assert not CustomCheckJob.objects.exists()
    assert not CustomCheckLog.objects.exists()
    assert not SecretGrant.objects.exists()


def test_chosen_jobs_are_deleted_with_their_grants(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    make_log(job)
    SecretGrant.objects.create(secret=make_secret(), job_kind=job.kind, job_id=job.pk)
    act(browser, "delete_selected", job, post="yes")
    assert not CustomCheckJob.objects.exists()
    assert not SecretGrant.objects.exists()


def test_a_form_that_somebody_else_was_faster_with_overwrites_nothing(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    opened = browser.get(reverse(CHANGE, args=[job.pk])).context["adminform"].form["definition"].value()
    save(browser, job, name="theirs", poll_interval_seconds="60")
    answer = save(browser, job, name="mine", definition=opened)
    assert "has changed since you read it" in answer.content.decode()
    assert (job.name, job.poll_interval_seconds) == ("theirs", 60)


def test_a_form_that_was_open_during_a_check_is_saved(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    opened = browser.get(reverse(CHANGE, args=[job.pk])).context["adminform"].form["definition"].value()
    CustomCheckJob.objects.filter(pk=job.pk).update(last_check_data={"a": 1}, check_count=5)
    save(browser, job, name="mine", definition=opened)
    assert (job.name, job.check_count) == ("mine", 5)
