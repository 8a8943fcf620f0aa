"""Jobs by their names: made or replaced as one, and copied."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connections
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob, ScriptVersion
from secrets_app.models import Secret, SecretGrant
from tests.api.conftest import JOBS, form, make_log
from tests.factories import tgz

MakeJob = Callable[..., CustomCheckJob]
MakeSecret = Callable[..., Secret]
BY_NAME = f"{JOBS}/by-name/nightly"


def definition(**fields: Any) -> dict[str, Any]:
    return {"script_source_type": "upload", "script_runtime": "python"} | fields


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_job_is_made_and_then_it_is_the_same_one(client: APIClient, slash: str) -> None:
    made = client.put(f"{BY_NAME}{slash}", definition(poll_interval_seconds=60))
    again = client.put(f"{BY_NAME}{slash}", definition(poll_interval_seconds=60))
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == made.json() == client.get(BY_NAME).json()
    assert again["ETag"] == made["ETag"]
    assert CustomCheckJob.objects.count() == 1


def test_what_is_not_named_gets_its_default(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="nightly", poll_interval_seconds=60, tags=["a"], webhook_url="https://hooks.example.com/")
    shown = client.put(BY_NAME, definition(timeout_seconds=10)).json()
    assert (shown["poll_interval_seconds"], shown["tags"], shown["webhook_url"]) == (120, [], None)
    assert shown["timeout_seconds"] == 10


def test_state_logs_and_script_stay(client: APIClient, create_job: MakeJob) -> None:
    job = create_job(name="nightly")
    make_log(job)
    CustomCheckJob.objects.filter(pk=job.pk).update(check_count=5, status="paused")
    shown = client.put(BY_NAME, definition(timeout_seconds=10)).json()
    assert (shown["id"], shown["check_count"], shown["status"]) == (job.pk, 5, "paused")
    assert (shown["script_sha256"], job.logs.count()) == (job.script_archive_id, 1)


def test_a_script_comes_with_it_and_is_stored_once(client: APIClient) -> None:
    for code in (201, 200):
        parts = form(name="nightly")
        assert client.put(BY_NAME, parts, format="multipart").status_code == code
    assert ScriptVersion.objects.count() == 1
    client.put(BY_NAME, form(tgz({"main.py": "print(2)"}), name="nightly"), format="multipart")
    assert ScriptVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (definition(name="other"), "name"),
        ({"script_runtime": "python"}, "script_source_type"),
        (definition(poll_interval_seconds=1), "poll_interval_seconds"),
        (definition(colour="red"), "colour"),
        (definition(check_params={"a": True}, status="paused"), "status"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_what_is_wrong_is_refused_and_nothing_is_stored(
    client: APIClient, create_job: MakeJob, body: dict[str, Any], field: str, there: bool
) -> None:
    if there:
        create_job(name="nightly", check_params={"a": 1})
    before = client.get(JOBS).json()
    answer = client.put(BY_NAME, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert client.get(JOBS).json() == before


def test_true_is_not_taken_for_1(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="nightly", check_params={"a": 1})
    assert client.put(BY_NAME, definition(check_params={"a": True})).json()["check_params"]["a"] is True


def test_a_name_that_several_have_is_409_with_their_numbers(client: APIClient, create_job: MakeJob) -> None:
    ids = [create_job(name="nightly").pk for _ in range(2)]
    for answer in (client.get(BY_NAME), client.put(BY_NAME, definition())):
        assert answer.status_code == 409
        assert f"{ids[0]}, {ids[1]}" in answer.json()["detail"]


def test_if_match_and_if_none_match_hold_here_too(client: APIClient) -> None:
    assert client.put(BY_NAME, definition(), headers={"If-Match": "*"}).status_code == 412
    assert client.put(BY_NAME, definition(), headers={"If-None-Match": "*"}).status_code == 201
    refused = client.put(BY_NAME, definition(timeout_seconds=10), headers={"If-None-Match": "*"})
    assert (refused.status_code, client.get(BY_NAME).json()["timeout_seconds"]) == (412, 300)
    etag = client.get(BY_NAME)["ETag"]
    assert client.put(BY_NAME, definition(timeout_seconds=10), headers={"If-Match": etag}).status_code == 200
    assert client.put(BY_NAME, definition(timeout_seconds=20), headers={"If-Match": etag}).status_code == 412


@pytest.mark.django_db(transaction=True)
def test_of_those_who_change_what_they_read_by_name_and_by_number_one_is_faster(boss: User, client: APIClient) -> None:
    number = client.put(BY_NAME, definition()).json()["id"]
    headers = {"If-Match": client.get(BY_NAME)["ETag"]}
    codes: list[int] = []

    def change(seconds: int) -> None:
        mine = APIClient(raise_request_exception=False)
        mine.force_authenticate(boss)
        call, path = (mine.put, BY_NAME) if seconds % 2 else (mine.patch, f"{JOBS}/{number}")
        codes.append(call(path, definition(timeout_seconds=seconds), headers=headers).status_code)
        connections.close_all()

    threads = [threading.Thread(target=change, args=(seconds,)) for seconds in range(10, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, *[412] * 7]


@pytest.mark.parametrize("name", ["a/b", "a b", "50%", "žluť", "7", "bulk", "a?b#c", "a%2Fb"])
def test_any_name_can_be_in_the_path(client: APIClient, name: str) -> None:
    path = f"{JOBS}/by-name/{quote(name, safe='')}"
    assert client.put(path, definition()).status_code == 201
    assert client.get(path).json()["name"] == name


@pytest.mark.parametrize("name", ["%00", "a%0Ab", "x" * 300])
def test_what_can_be_no_name_is_refused(client: APIClient, name: str) -> None:
    assert client.put(f"{JOBS}/by-name/{name}", definition()).status_code in (400, 404)
    assert client.get(f"{JOBS}/by-name/{name}").status_code == 404


def test_who_may_only_change_jobs_makes_none(login: Callable[..., APIClient]) -> None:
    assert login("change_customcheckjob").put(BY_NAME, definition()).status_code == 403
    assert not CustomCheckJob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_put_at_once_one_makes_the_job(boss: User) -> None:
    codes: list[int] = []

    def put(number: int) -> None:
        mine = APIClient(raise_request_exception=False)
        mine.force_authenticate(boss)
        codes.append(mine.put(BY_NAME, definition(check_params={"number": number})).status_code)
        connections.close_all()

    threads = [threading.Thread(target=put, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [*[200] * 9, 201]
    assert CustomCheckJob.objects.count() == 1


# Clones


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_clone_has_definition_script_and_secrets_and_is_paused(
    client: APIClient, create_job: MakeJob, make_secret: MakeSecret, slash: str
) -> None:
    make_secret("gemini")
    job = create_job(name="nightly", tags=["a"], env_vars={"KEY": "secret_ref:gemini"}, check_params={"a": [1]})
    answer = client.post(f"{JOBS}/{job.pk}/clone{slash}")
    clone, original = answer.json(), client.get(f"{JOBS}/{job.pk}").json()
    assert (answer.status_code, clone["name"], clone["status"]) == (201, "nightly (copy)", "paused")
    for field in ("tags", "env_vars", "check_params", "script_sha256", "script_entrypoint"):
        assert clone[field] == original[field]
    assert {grant.job_id for grant in SecretGrant.objects.all()} == {job.pk, clone["id"]}


def test_a_clone_starts_without_the_originals_history(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    make_log(job)
    CustomCheckJob.objects.filter(pk=job.pk).update(check_count=5, state={"a": 1}, status="completed")
    clone = CustomCheckJob.objects.get(pk=client.post(f"{JOBS}/{job.pk}/clone", {"name": "new"}).json()["id"])
    assert (clone.name, clone.check_count, clone.state, clone.logs.count()) == ("new", 0, None, 0)
    assert client.post(f"{JOBS}/{clone.pk}/resume").status_code == 200


def test_a_clone_has_the_version_that_runs(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    first = client.get(f"{JOBS}/{job.pk}").json()["script_sha256"]
    parts = {"file": form(tgz({"main.py": "print(2)"}))["script"]}
    client.post(f"{JOBS}/{job.pk}/script/upload", parts, format="multipart")
    client.post(f"{JOBS}/{job.pk}/script/rollback", {"version": 1})
    assert client.post(f"{JOBS}/{job.pk}/clone").json()["script_sha256"] == first


def test_who_may_not_use_a_secret_clones_no_job_with_it(
    create_job: MakeJob, make_secret: MakeSecret, login: Callable[..., APIClient]
) -> None:
    make_secret("gemini")
    job = create_job(env_vars={"KEY": "secret_ref:gemini"})
    somebody = login("add_customcheckjob", "change_customcheckjob", "view_customcheckjob")
    answer = somebody.post(f"{JOBS}/{job.pk}/clone")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["env_vars.KEY"])
    assert CustomCheckJob.objects.count() == 1


@pytest.mark.parametrize("body", [{"name": ""}, {"name": 5}, {"title": "x"}])
def test_a_clone_takes_a_name_only(client: APIClient, create_job: MakeJob, body: dict[str, Any]) -> None:
    answer = client.post(f"{JOBS}/{create_job().pk}/clone", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(body))
