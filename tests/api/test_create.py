"""Creating a job, with its script at once or in two steps, and changing it."""

import hashlib
import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, ScriptArchive
from secrets_app.models import Secret, SecretGrant
from tests.api.conftest import JOBS, SCRIPT, config, form, submit, upload
from tests.factories import tgz

GIT = {"script_source_type": "git", "script_git_url": "https://git.example.com/team/checks.git"}


@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/"])
def test_a_form_creates_a_job_that_is_due(client: APIClient, path: str) -> None:
    answer = client.post(path, form(), format="multipart")
    assert answer.status_code == 201
    job = CustomCheckJob.objects.get(pk=answer.json()["id"])
    assert job.status == "active"
    assert job.next_check_at <= timezone.now()


def test_the_script_is_stored_by_what_it_holds(client: APIClient) -> None:
    first, second = (submit(client, form()).json() for _ in range(2))
    stored = ScriptArchive.objects.get()
    assert first["script_sha256"] == second["script_sha256"] == stored.sha256
    assert hashlib.sha256(stored.content).hexdigest() == stored.sha256
    assert first["script_file_path"] == f"{stored.sha256}.tgz"
    assert stored.files == [["main.py", len(SCRIPT["main.py"])]]


def test_the_job_belongs_to_who_created_it(client: APIClient, boss: User) -> None:
    submit(client, form())
    assert CustomCheckJob.objects.get().owner == boss


def test_json_creates_a_job_from_git_that_is_due(client: APIClient) -> None:
    answer = client.post(JOBS, config(**GIT))
    assert answer.status_code == 201
    assert answer.json()["script_git_branch"] == "main"
    assert answer.json()["next_check_at"] is not None


def test_a_job_without_its_script_waits_for_it(client: APIClient) -> None:
    made = client.post(JOBS, config()).json()
    assert (made["status"], made["next_check_at"], made["script_sha256"]) == ("active", None, None)
    assert made["waiting_for"] == "script"
    answer = client.post(f"{JOBS}/{made['id']}/script/upload", {"file": upload()}, format="multipart")
    assert answer.status_code == 200
    assert answer.json()["message"] == "Script uploaded successfully"
    shown = client.get(f"{JOBS}/{made['id']}").json()
    assert (shown["next_check_at"] is None, shown["waiting_for"]) == (False, None)


@pytest.mark.parametrize("name", ["../../x.tgz", "x.tgz\0.png", "x" * 5000, "script.zip"])
def test_the_name_of_the_file_means_nothing(client: APIClient, name: str) -> None:
    parts = form()
    parts["script"].name = name
    assert submit(client, parts).status_code == 201
    assert ScriptArchive.objects.count() == 1


def test_a_new_script_takes_the_place_of_the_old_one(
    client: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    job = create_job()
    other = {"file": upload(tgz({"main.py": "print(2)\n"}))}
    answer = client.post(f"{JOBS}/{job.pk}/script/upload", other, format="multipart")
    job.refresh_from_db()
    assert job.script_archive_id == answer.json()["sha256"]
    assert ScriptArchive.objects.count() == 2


def test_the_entrypoint_defaults_by_runtime(client: APIClient) -> None:
    answer = submit(client, form(tgz({"index.js": "1"}), script_runtime="node"))
    assert answer.json()["script_entrypoint"] == "index.js"


def test_every_field_comes_back_as_it_was_set(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    make_secret("gemini")
    given = config(
        script_entrypoint="src/check.py",
        check_params={"batch": "b-1", "deep": [1, {"a": None}]},
        env_vars={"API_KEY": "secret_ref:gemini"},
        timeout_seconds=60,
        resource_limits={"memory_mb": 256, "cpu_cores": 0.25},
        webhook_url="https://hooks.example.com/x",
        webhook_method="GET",
        webhook_headers={"Authorization": "Bearer secret_ref:gemini"},
        webhook_query_params={"job": "job-{job_id}"},
        poll_interval_seconds=10,
        deadline_seconds=60,
        max_checks=7,
        max_consecutive_errors=3,
        alert_after_errors=None,
        alert_url="https://alerts.example.com/x",
        keboola_stack_url="https://connection.example.com",
        keboola_component_id="kds.app",
        keboola_configuration_id="42",
        keboola_token="secret_ref:gemini",
        keboola_variables={"file": "{data.output}"},
        keboola_on="ended",
    )
    parts = {"config": json.dumps(given), "script": upload(tgz({"src/check.py": "1", "README": ""}))}
    shown = submit(client, parts).json()
    assert {name: shown[name] for name in given} == given


def test_a_job_is_granted_the_secrets_that_it_refers_to(client: APIClient, make_secret: Callable[..., Secret]) -> None:
    secret = make_secret("gemini")
    made = submit(client, form(env_vars={"A": f"secret_ref:{secret.pk}", "B": "Bearer secret_ref:gemini"})).json()
    grant = SecretGrant.objects.get()
    assert (grant.secret, grant.job_kind, grant.job_id) == (secret, "custom", made["id"])


def test_a_shorter_interval_takes_effect_at_once(client: APIClient, create_job: Callable[..., CustomCheckJob]) -> None:
    job = create_job(poll_interval_seconds=86400)
    CustomCheckJob.objects.filter(pk=job.pk).update(next_check_at="2099-01-01T00:00Z")
    answer = client.put(f"{JOBS}/{job.pk}", {"poll_interval_seconds": 10})
    assert answer.status_code == 200
    assert answer.json()["next_check_at"] < "2099"


def test_a_new_deadline_counts_from_the_first_check(
    client: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    job = create_job(deadline_seconds=86400)
    CustomCheckJob.objects.filter(pk=job.pk).update(deadline_at="2026-01-02T00:00Z")
    shown = client.put(f"{JOBS}/{job.pk}", {"deadline_seconds": 3600}).json()
    assert (shown["deadline_seconds"], shown["deadline_at"]) == (3600, "2026-01-01T01:00:00Z")


def test_an_update_leaves_other_fields_alone(client: APIClient, create_job: Callable[..., CustomCheckJob]) -> None:
    job = create_job(check_params={"a": 1}, webhook_url="https://hooks.example.com/x")
    shown = client.put(f"{JOBS}/{job.pk}", {"name": "renamed", "webhook_url": None}).json()
    assert (shown["name"], shown["check_params"], shown["webhook_url"]) == ("renamed", {"a": 1}, None)


@pytest.mark.parametrize(
    ("field", "value", "choices"),
    [
        ("script_runtime", "ruby", "python, node, python-3.11, python-3.13, python-3.14, node-20, node-22, node-24"),
        ("script_source_type", "", "git, upload"),
    ],
)
def test_a_wrong_choice_is_told_what_can_be_chosen(client: APIClient, field: str, value: str, choices: str) -> None:
    answer = client.post(JOBS, config(**GIT | {field: value}))
    assert answer.status_code == 400
    assert f"Use one of: {choices}." in " ".join(answer.json()["errors"][field])


@pytest.mark.parametrize("change", [{"status": "completed"}, {"id": 7}, {"name": ""}, {"script_entrypoint": "x.py"}])
def test_a_refused_update_changes_nothing(
    client: APIClient, create_job: Callable[..., CustomCheckJob], change: dict[str, object]
) -> None:
    path = f"{JOBS}/{create_job().pk}"
    before = client.get(path).json()
    answer = client.put(path, change | {"check_params": {"new": 1}})
    assert list(answer.json()["errors"]) == list(change)
    assert client.get(path).json() == before


def test_only_who_may_use_its_secrets_changes_what_a_job_runs(
    login: Callable[..., APIClient],
    create_job: Callable[..., CustomCheckJob],
    make_secret: Callable[..., Secret],
    boss: User,
) -> None:
    make_secret("gemini").allowed_users.add(boss)
    job = create_job(env_vars={"KEY": "secret_ref:gemini"})
    stranger = login("change_customcheckjob", "use_secret")
    answer = stranger.post(f"{JOBS}/{job.pk}/script/upload", {"file": upload()}, format="multipart")
    assert list(answer.json()["errors"]) == ["env_vars.KEY"]


def test_a_job_with_a_script_can_change_over_to_git(
    client: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    answer = client.put(f"{JOBS}/{create_job().pk}", GIT)
    assert answer.status_code == 200
    assert answer.json()["script_source_type"] == "git"


def test_a_receiver_can_be_taken_away(client: APIClient, create_job: Callable[..., CustomCheckJob]) -> None:
    job = create_job(webhook_url="https://hooks.example.com/")
    answer = client.put(f"{JOBS}/{job.pk}", {"webhook_url": None})
    assert (answer.status_code, answer.json()["webhook_url"]) == (200, None)
