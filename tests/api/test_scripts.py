"""Where a job's script comes from and which version runs, over the API."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from customchecks.archives.script_archive import Archive, normalise
from customchecks.jobs import service, versions
from customchecks.jobs.models import CustomCheckJob
from tests.api.conftest import JOBS, config, form, submit, upload
from tests.customchecks.jobs.test_fields import REFUSED_BRANCHES, REFUSED_URLS
from tests.factories import tgz

MakeJob = Callable[..., CustomCheckJob]
URL = "https://git.example.com/team/checks.git"


def archive(text: str) -> Archive:
    return normalise(io.BytesIO(tgz({"main.py": text})))


@pytest.fixture
def job(create_job: MakeJob, boss: User) -> CustomCheckJob:
    """With two versions."""
    job = create_job()
    service.store_script(job, archive("new"), user=boss)
    return job


@pytest.fixture
def git_job(create_job: MakeJob) -> CustomCheckJob:
    return create_job(scripted=False, script_source_type="git", script_git_url=URL)


def script(job: CustomCheckJob, what: str) -> str:
    return f"{JOBS}/{job.pk}/script/{what}"


def named(answer: Any) -> list[str]:
    """The fields that are wrong."""
    return list(answer.json().get("errors", ()))


def post(client: APIClient, job: CustomCheckJob, what: str, **body: Any) -> Any:
    return client.post(script(job, what), body, format="json")


def test_info_tells_source_and_running_version(client: APIClient, job: CustomCheckJob) -> None:
    info = client.get(script(job, "info")).json()
    metadata = info.pop("metadata")
    assert info == {
        "job_id": job.pk,
        "source_type": "upload",
        "git_url": None,
        "git_branch": "main",
        "file_path": f"{archive('new').sha256}.tgz",
    }
    assert (metadata["version"], metadata["sha256"], metadata["pinned"]) == (2, archive("new").sha256, False)
    assert metadata["files"] == [{"path": "main.py", "size": 3}]
    assert metadata["created_by"] == "boss"


def test_info_of_a_repository_that_was_not_fetched_yet_has_no_metadata(
    client: APIClient, git_job: CustomCheckJob
) -> None:
    info = client.get(script(git_job, "info")).json()
    assert (info["source_type"], info["git_url"], info["git_branch"]) == ("git", URL, "main")
    assert info["metadata"] is None


@pytest.mark.parametrize("slash", ["", "/"])
def test_versions_are_listed_with_the_newest_first(client: APIClient, job: CustomCheckJob, slash: str) -> None:
    found = client.get(script(job, f"versions{slash}")).json()
    assert ([version["version"] for version in found["versions"]], found["total"]) == ([2, 1], 2)


def test_a_rollback_is_one_call(client: APIClient, job: CustomCheckJob) -> None:
    assert post(client, job, "rollback", version=1).json()["version"] == 1
    shown = client.get(f"{JOBS}/{job.pk}").json()
    assert (shown["script_version_pin"], shown["script_sha256"]) == (1, job.versions.get(number=1).archive_id)
    assert client.get(script(job, "info")).json()["metadata"]["pinned"] is True


def test_a_pin_without_a_number_keeps_what_runs(client: APIClient, job: CustomCheckJob) -> None:
    assert post(client, job, "pin").json()["version"] == 2
    client.post(script(job, "upload"), {"file": upload(tgz({"main.py": "newest"}))}, format="multipart")
    assert client.get(script(job, "info")).json()["metadata"]["version"] == 2
    assert post(client, job, "unpin").status_code == 200
    assert client.get(script(job, "info")).json()["metadata"]["version"] == 3


@pytest.mark.parametrize("body", [{}, {"version": None}, {"version": "1"}, {"version": True}, {"version": 1.0},
    {"version": 0}, {"version": -1}, {"version": 3}, {"version": 2**40}])  # fmt: skip
def test_a_wrong_version_is_refused_by_its_name(client: APIClient, job: CustomCheckJob, body: dict[str, Any]) -> None:
    answer = post(client, job, "rollback", **body)
    assert answer.status_code == 400
    assert "version" in str(answer.json())
    job.refresh_from_db()
    assert job.script_version_pin is None


@pytest.mark.parametrize("what", ["rollback", "pin", "unpin", "git"])
def test_an_unknown_field_is_refused(client: APIClient, git_job: CustomCheckJob, what: str) -> None:
    answer = post(client, git_job, what, odd=1)
    assert answer.status_code == 400
    assert "odd" in str(answer.json())


def test_a_repository_is_configured_with_its_branch(client: APIClient, git_job: CustomCheckJob) -> None:
    answer = post(client, git_job, "git", git_url=f"{URL}2", branch="next")
    assert answer.json() == {"message": "Git source configured", "url": f"{URL}2", "branch": "next"}
    git_job.refresh_from_db()
    assert (git_job.script_git_url, git_job.script_git_branch) == (f"{URL}2", "next")


def test_a_branch_that_is_not_named_is_main(client: APIClient, git_job: CustomCheckJob) -> None:
    post(client, git_job, "git", git_url=URL, branch="next")
    assert post(client, git_job, "git", git_url=URL).json()["branch"] == "main"


WRONG = [
    *(("git_url", value) for value in [*REFUSED_URLS, "https://example.com/", "https://example.com/r?ref=x"]),
    *(("branch", value) for value in REFUSED_BRANCHES if value not in (None, "\ud800")),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_repository_is_refused_by_its_name(
    client: APIClient, git_job: CustomCheckJob, field: str, value: object
) -> None:
    answer = post(client, git_job, "git", **{"git_url": URL, field: value})
    assert answer.status_code == 400
    assert named(answer) == [field]
    git_job.refresh_from_db()
    assert (git_job.script_git_url, git_job.script_git_branch) == (URL, "main")


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_job_with_a_wrong_repository_is_not_made(client: APIClient, field: str, value: object) -> None:
    column = {"git_url": "script_git_url", "branch": "script_git_branch"}[field]
    data = config(script_source_type="git", script_git_url=URL) | {column: value}
    answer = client.post(JOBS, data, format="json")
    assert answer.status_code == 400
    assert named(answer) == [column]
    assert not CustomCheckJob.objects.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "-e git+ssh://x/y"),
        ("requirements.txt", "--index-url http://evil.example"),
        ("requirements.txt", "-r /etc/passwd"),
        ("requirements.txt", "file:///x.whl"),
        ("requirements.txt", "x @ https://10.0.0.1/x.whl"),
        ("requirements.txt", "--only-binary :none:"),
        ("pylock.toml", "["),
        ("pylock.toml", '[[packages]]\nname = "x"\ndirectory = {path = "/etc"}'),
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = ['x @ git+https://x.org/y']"),
        ("setup.py", "setup(install_requires=['six'])"),
        ("environment.yml", "dependencies: [six]"),
    ],
)
def test_a_script_with_a_hostile_manifest_is_not_stored(
    client: APIClient, job: CustomCheckJob, name: str, text: str
) -> None:
    content = tgz({"main.py": "", name: text})
    answer = client.post(script(job, "upload"), {"file": upload(content)}, format="multipart")
    made = submit(client, form(content))
    assert (answer.status_code, named(answer)) == (400, ["file"])
    assert (made.status_code, named(made)) == (400, ["script"])
    assert (job.versions.count(), CustomCheckJob.objects.count()) == (2, 1)


@pytest.mark.parametrize("text", ["git+https://e.example/x", "github:x/y", "file:/etc", "https://10.0.0.1/x.tgz"])
def test_a_node_script_with_a_hostile_manifest_is_not_stored(client: APIClient, text: str) -> None:
    content = tgz({"index.js": "", "package.json": json.dumps({"dependencies": {"x": text}})})
    answer = submit(client, form(content, script_runtime="node"))
    assert (answer.status_code, named(answer)) == (400, ["script"])


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_moment_leave_a_script_that_is_whole(client: APIClient, job: CustomCheckJob) -> None:
    def uploading(text: str) -> Any:
        return client.post(script(job, "upload"), {"file": upload(tgz({"main.py": text}))}, format="multipart")

    calls = [
        *(lambda number=number: post(client, job, "rollback", version=number) for number in (1, 2)),
        *(lambda what=what: post(client, job, what) for what in ("pin", "unpin")),
        *(lambda text=text: uploading(text) for text in ("third", "fourth")),
    ]

    def call(number: int) -> int:
        try:
            return int(calls[number % len(calls)]().status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(call, range(60))) == {200}
    job.refresh_from_db()
    runs = versions.pinned(job) or versions.newest(job)
    assert runs
    assert job.script_archive_id == runs.archive_id
    numbers = [version.number for version in job.versions.all()]
    assert numbers == list(range(len(numbers), 0, -1))


def test_a_job_with_an_upload_takes_no_repository(client: APIClient, job: CustomCheckJob) -> None:
    assert post(client, job, "git", git_url=URL).status_code == 400


@pytest.mark.parametrize(("what", "permission"), [("info", "add"), ("versions", "add")])
def test_reading_needs_the_view_permission(login: Any, job: CustomCheckJob, what: str, permission: str) -> None:
    assert login(f"{permission}_customcheckjob").get(script(job, what)).status_code == 403
    assert login("view_customcheckjob", name="reader").get(script(job, what)).status_code == 200


@pytest.mark.parametrize("what", ["git", "rollback", "pin", "unpin"])
def test_changing_needs_the_change_permission(login: Any, job: CustomCheckJob, what: str) -> None:
    assert post(login("view_customcheckjob", "add_customcheckjob"), job, what).status_code == 403


def test_who_may_not_use_a_jobs_secret_may_not_give_it_another_script(
    login: Any, create_job: MakeJob, make_secret: Any
) -> None:
    make_secret("gemini")
    job = create_job(env_vars={"KEY": "secret_ref:gemini"})
    answer = post(login("change_customcheckjob"), job, "rollback", version=1)
    assert answer.status_code == 400
    assert "env_vars.KEY" in str(answer.json())
