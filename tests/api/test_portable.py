"""Jobs are exported as YAML and imported again, here or elsewhere."""

import fcntl
import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, connections
from rest_framework.test import APIClient

from customchecks.jobs import export
from customchecks.jobs.models import CustomCheckJob
from secrets_app.models import Secret, SecretGrant
from tests.api.conftest import JOBS, make_log

MakeJob = Callable[..., CustomCheckJob]
MakeSecret = Callable[..., Secret]
EXPORT, IMPORT = f"{JOBS}/export", f"{JOBS}/import"
VALUE = "canary-7Hq9/Zw"


def exported(client: APIClient, **query: Any) -> str:
    answer = client.get(EXPORT, query)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/yaml")
    return answer.content.decode()


def load(client: APIClient, document: Any, **query: str) -> Any:
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    path = IMPORT + "".join(f"?{name}={value}" for name, value in query.items())
    return client.generic("POST", path, text, content_type="application/yaml")


def entry(name: str = "nightly", **fields: Any) -> dict[str, Any]:
    return {"name": name, "script_source_type": "upload", "script_runtime": "python", **fields}


def test_an_export_has_no_state_and_no_value_of_a_secret(
    client: APIClient, create_job: MakeJob, make_secret: MakeSecret
) -> None:
    make_secret("gemini", VALUE)
    make_log(create_job(name="nightly", env_vars={"KEY": "secret_ref:gemini"}))
    text = exported(client)
    (job,) = yaml.safe_load(text)["jobs"]
    assert VALUE not in text
    assert job == entry(script_entrypoint="main.py", env_vars={"KEY": "secret_ref:gemini"})


def test_secrets_are_named_also_where_the_job_has_their_numbers(
    client: APIClient, create_job: MakeJob, make_secret: MakeSecret
) -> None:
    secret = make_secret("gemini", VALUE)
    unnameable = make_secret("two words", VALUE)
    create_job(
        env_vars={"A": f"x secret_ref:{secret.pk}, secret_ref:gemini", "B": f"secret_ref:{unnameable.pk}"},
        webhook_headers={"X-Key": f"Bearer secret_ref:{secret.pk}"},
        webhook_signing_secrets=[f"secret_ref:{secret.pk}"],
        check_params={"text": f"secret_ref:{secret.pk}"},
        keboola_stack_url="https://connection.example.com",
        keboola_component_id="kds.app",
        keboola_configuration_id="42",
        keboola_token=f"secret_ref:{secret.pk}",
    )
    (job,) = yaml.safe_load(exported(client))["jobs"]
    assert job["keboola_token"] == "secret_ref:gemini"
    assert job["env_vars"] == {"A": "x secret_ref:gemini, secret_ref:gemini", "B": f"secret_ref:{unnameable.pk}"}
    assert (job["webhook_headers"], job["webhook_signing_secrets"]) == (
        {"X-Key": "Bearer secret_ref:gemini"},
        ["secret_ref:gemini"],
    )
    assert job["check_params"] == {"text": f"secret_ref:{secret.pk}"}


def test_who_sees_no_secrets_sees_their_numbers(
    login: Callable[..., APIClient], create_job: MakeJob, make_secret: MakeSecret
) -> None:
    secret = make_secret("gemini", VALUE)
    create_job(env_vars={"A": f"secret_ref:{secret.pk}"})
    assert "gemini" not in exported(login("view_customcheckjob"))


def test_an_export_can_be_narrowed_as_the_list(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="a", tags=["x"])
    create_job(name="b")
    assert [job["name"] for job in yaml.safe_load(exported(client, tag="x"))["jobs"]] == ["a"]
    assert client.get(EXPORT, {"status": "done"}).json()["errors"]["status"]


@pytest.mark.parametrize("accept", ["*/*", "application/yaml", "application/json", "text/html"])
def test_an_export_is_yaml_whatever_is_accepted(client: APIClient, accept: str) -> None:
    assert client.get(f"{EXPORT}/", headers={"Accept": accept})["Content-Type"] == "application/yaml"


def test_a_document_goes_round(client: APIClient, create_job: MakeJob, make_secret: MakeSecret) -> None:
    make_secret("gemini", VALUE)
    odd = {"no": "yes", "number": "007", "deep": [1, {"x": None, "y": 1.5}], "text": "a: b #c\n- d\t\u2028é"}
    create_job(
        name="one",
        tags=["a"],
        check_params=odd,
        env_vars={"KEY": "secret_ref:gemini"},
        resource_limits={"memory_mb": 64},
    )
    create_job(name="two", scripted=False, script_source_type="git", script_git_url="https://git.example.com/x.git")
    before, text = client.get(JOBS).json()["jobs"], exported(client)
    assert [row["action"] for row in load(client, text).json()["results"]] == ["unchanged", "unchanged"]
    CustomCheckJob.objects.all().delete()
    assert [row["action"] for row in load(client, text).json()["results"]] == ["created", "created"]
    assert exported(client) == text
    fields = ("name", "tags", "check_params", "env_vars", "resource_limits", "script_git_url", "timeout_seconds")
    after = client.get(JOBS).json()["jobs"]
    assert [[job[field] for field in fields] for job in after] == [[job[field] for field in fields] for job in before]
    assert SecretGrant.objects.filter(job_id=after[0]["id"]).exists()


def test_an_import_says_what_it_changed(client: APIClient, create_job: MakeJob) -> None:
    job = create_job(name="nightly")
    (row,) = load(client, {"jobs": [entry(timeout_seconds=10)]}).json()["results"]
    assert (row["job_id"], row["action"]) == (job.pk, "updated")
    assert row["changes"] == {"timeout_seconds": {"from": 300, "to": 10}}


def test_a_dry_run_stores_nothing_and_says_the_same(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="nightly")
    before = client.get(JOBS).json()
    answer = load(client, {"jobs": [entry(timeout_seconds=10), entry("new")]}, dry_run="true").json()
    assert answer["dry_run"] is True
    assert [(row["action"], row["job_id"] is None) for row in answer["results"]] == [
        ("updated", False),
        ("created", True),
    ]
    assert client.get(JOBS).json() == before


def test_one_wrong_job_stores_none_and_is_named(client: APIClient) -> None:
    wrong = entry("b", poll_interval_seconds=1, env_vars={"KEY": "secret_ref:nobody"})
    answer = load(client, {"jobs": [entry("a"), wrong]})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"jobs[1].poll_interval_seconds", "jobs[1].env_vars.KEY"}
    assert not CustomCheckJob.objects.exists()


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "jobs"),
        ({}, "jobs"),
        ({"jobs": {}}, "jobs"),
        ({"jobs": [], "more": 1}, "more"),
        ({"jobs": [], "teckochecker": 2}, "teckochecker"),
        ({"jobs": ["x"]}, "jobs[0]"),
        ({"jobs": [{"name": 5}]}, "jobs[0]"),
        ({"jobs": [entry(), entry()]}, "jobs"),
        ({"jobs": [entry(str(number)) for number in range(501)]}, "jobs"),
        ({"jobs": [entry(status="paused")]}, "jobs[0].status"),
        ({"jobs": [entry(script="./x")]}, "jobs[0].script"),
    ],
)
def test_what_is_no_list_of_jobs_is_refused(client: APIClient, document: Any, field: str) -> None:
    answer = load(client, document)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not CustomCheckJob.objects.exists()


def test_a_job_of_very_many_fields_is_not_answered_field_by_field(client: APIClient) -> None:
    answer = load(client, {"jobs": [entry() | {f"k{number}": 1 for number in range(100)}]})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["jobs[0]"])


def test_a_parameter_that_cannot_be_a_variable_is_refused_in_an_import(client: APIClient) -> None:
    answer = load(client, {"jobs": [entry(check_params={"run-id": 7})]})
    assert answer.status_code == 400
    assert "'run-id' cannot be a variable" in answer.content.decode()


def test_what_is_no_yaml_is_refused_with_the_line(client: APIClient) -> None:
    answer = load(client, "jobs:\n- name: [")
    assert answer.status_code == 400
    assert "in line" in answer.json()["detail"]


def test_json_is_imported_too(client: APIClient) -> None:
    assert client.post(IMPORT, {"jobs": [entry()]}).json()["results"][0]["action"] == "created"


def test_a_name_that_several_have_is_refused(client: APIClient, create_job: MakeJob) -> None:
    for _ in range(2):
        create_job(name="nightly")
    assert list(load(client, {"jobs": [entry()]}).json()["errors"]) == ["jobs[0].name"]


def test_who_may_only_change_jobs_imports_none(login: Callable[..., APIClient]) -> None:
    assert load(login("change_customcheckjob"), {"jobs": [entry()]}).status_code == 403


@pytest.mark.skipif(connection.vendor != "sqlite", reason="Only SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_an_import_that_waits_for_another_keeps_nobody_from_writing(boss: User, create_job: MakeJob) -> None:
    def ask() -> None:
        mine = APIClient()
        mine.force_authenticate(boss)
        mine.post(IMPORT, {"jobs": [entry("imported")]})
        connections.close_all()

    thread = threading.Thread(target=ask)
    with (settings.TECKO_HOME / export.TURNS).open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        thread.start()
        thread.join(1)
        assert thread.is_alive()
        create_job(name="meanwhile")
        assert [job.name for job in CustomCheckJob.objects.all()] == ["meanwhile"]
    thread.join()
    assert CustomCheckJob.objects.filter(name="imported").exists()


@pytest.mark.django_db(transaction=True)
def test_imports_of_the_same_jobs_in_any_order_do_not_block_each_other(boss: User) -> None:
    entries = [entry(f"job {number}") for number in range(8)]
    codes: list[int] = []

    def ask(jobs: list[dict[str, Any]], seconds: int) -> None:
        mine = APIClient(raise_request_exception=False)
        mine.force_authenticate(boss)
        codes.append(mine.post(IMPORT, {"jobs": [job | {"timeout_seconds": seconds} for job in jobs]}).status_code)
        connections.close_all()

    orders = [entries, entries[::-1]] * 3
    threads = [threading.Thread(target=ask, args=(jobs, 10 + place)) for place, jobs in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (codes, CustomCheckJob.objects.count()) == ([200] * 6, 8)
