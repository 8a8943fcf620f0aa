"""Which commit a check runs, what is written down about it, and what happens when there is none."""

import os
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

from customchecks import tasks
from customchecks.archives.script_archive import from_files
from customchecks.checking.script_source import Script, SourceFailed, Sources
from customchecks.git.repositories import Repositories
from customchecks.jobs import service, versions
from customchecks.jobs.models import CustomCheckJob, ScriptArchive, ScriptVersion
from secrets_app.models import SecretUse
from tests.customchecks.git.server import GitServer, Origin
from tests.customchecks.git.test_repositories import SCRIPT, TOKEN, basic
from tests.factories import make_secret

Make = Callable[..., CustomCheckJob]


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss")


@pytest.fixture
def git_job(boss: User, server: GitServer, settings: Any) -> Make:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]

    def make(**fields: Any) -> CustomCheckJob:
        git = {"script_source_type": "git", "script_git_url": server.url()}
        job = service.create_job({"name": "n", "script_runtime": "python", **git, **fields}, archive=None, user=boss)
        return CustomCheckJob.objects.get(pk=job.pk)

    return make


@pytest.fixture
def run(repositories: Repositories) -> Callable[[CustomCheckJob], Script]:
    """The script of the next check."""

    def run(job: CustomCheckJob) -> Script:
        return Sources(repositories).script(CustomCheckJob.objects.get(pk=job.pk), check_id=uuid.uuid4())

    return run


Run = Callable[[CustomCheckJob], Script]


def upload(text: str = SCRIPT, name: str = "main.py") -> Any:
    return from_files([(name, text.encode())])


def test_the_next_check_runs_what_was_pushed(git_job: Make, run: Run, origin: Origin) -> None:
    job = git_job()
    first, old = origin.commit({"main.py": "old"}), run(job)
    second, new = origin.commit({"main.py": "new"}), run(job)
    assert (old.revision, old.version, old.archive.read("main.py")) == (first, 1, b"old")
    assert (new.revision, new.version, new.archive.read("main.py")) == (second, 2, b"new")


def test_a_forced_push_back_to_an_older_commit_is_a_version_of_its_own(git_job: Make, run: Run, origin: Origin) -> None:
    job = git_job()
    first = origin.commit({"main.py": "old"})
    run(job)
    origin.commit({"main.py": "new"})
    run(job)
    origin.git("push", "-q", "--force", str(origin.bare), f"{first}:refs/heads/main")
    assert (run(job).revision, run(job).version) == (first, 3)
    assert ScriptArchive.objects.count() == 2


def test_without_a_push_only_the_branch_is_asked_for(
    git_job: Make, run: Run, origin: Origin, server: GitServer
) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    run(job)
    server.requests.clear()
    assert run(job).version == 1
    assert [method for method, _ in server.requests] == ["GET", "POST"]


def test_a_pinned_commit_is_asked_for_nobody(git_job: Make, run: Run, origin: Origin, server: GitServer) -> None:
    commit = origin.commit({"main.py": "old"})
    origin.commit({"main.py": "new"})
    job = git_job(script_git_commit=commit)
    assert run(job).revision == commit
    server.requests.clear()
    assert run(job).archive.read("main.py") == b"old"
    assert server.requests == []


def test_a_version_tells_what_it_is(git_job: Make, run: Run, origin: Origin, server: GitServer) -> None:
    job = git_job(script_git_path="nightly")
    commit = origin.commit({"nightly/main.py": SCRIPT, "nightly/.gitmodules": ""})
    run(job)
    version = job.versions.get()
    assert (version.number, version.source, version.commit) == (1, "git", commit)
    assert version.origin == f"{server.url()} nightly"
    assert version.archive.files == [[".gitmodules", 0], ["main.py", len(SCRIPT)]]
    assert version.notes == ["The repository names submodules; they are not fetched."]


def test_when_the_repository_is_down_the_last_good_commit_runs_and_says_so(
    git_job: Make, run: Run, origin: Origin, server: GitServer
) -> None:
    job = git_job()
    commit = origin.commit({"main.py": SCRIPT})
    run(job)
    server.stop()
    found = run(job)
    assert (found.revision, found.source, found.note) == (commit, "stale", "No connection to the server.")


def test_by_the_policy_error_nothing_runs_while_the_repository_is_down(
    git_job: Make, run: Run, origin: Origin, server: GitServer
) -> None:
    job = git_job(script_source_policy="error")
    origin.commit({"main.py": SCRIPT})
    run(job)
    server.stop()
    with pytest.raises(SourceFailed, match="No connection"):
        run(job)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"other.py": "x"}, "has no file 'main.py'"),
        ({"main.py": "x", "a\\b": "x"}, "backslash"),
        ({"main.py": "x", "requirements.txt": "-r /etc/passwd"}, "outside the archive"),
    ],
    ids=["no entrypoint", "rejected", "hostile manifest"],
)
def test_a_bad_push_does_not_lose_the_last_good_version(
    git_job: Make, run: Run, origin: Origin, files: dict[str, str], why: str
) -> None:
    job, strict = git_job(), git_job(script_source_policy="error")
    good = origin.commit({"main.py": SCRIPT})
    run(job), run(strict)
    origin.git("rm", "-q", "-r", ".")
    origin.commit(dict(files))
    found = run(job)
    assert (found.revision, found.source) == (good, "stale")
    assert why in found.note
    with pytest.raises(SourceFailed, match=why):
        run(strict)
    assert ScriptVersion.objects.filter(job=job).count() == 1


def test_another_repository_has_no_last_good_version_of_this_one(
    git_job: Make, run: Run, origin: Origin, server: GitServer, boss: User
) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    run(job)
    service.update_job(job, {"script_git_url": server.url("nothing")}, user=boss)
    with pytest.raises(SourceFailed, match="no repository at this URL"):
        run(job)


def test_a_job_that_is_deleted_while_it_is_fetched_for_has_no_script(
    git_job: Make, repositories: Repositories, origin: Origin
) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    claimed = CustomCheckJob.objects.get(pk=job.pk)
    service.delete_job(job)
    with pytest.raises(SourceFailed, match="was deleted"):
        Sources(repositories).script(claimed, check_id=uuid.uuid4())


def test_a_pin_that_comes_while_a_commit_is_fetched_holds(
    git_job: Make, run: Run, repositories: Repositories, origin: Origin, boss: User
) -> None:
    job = git_job()
    origin.commit({"main.py": "old"})
    run(job)
    claimed = CustomCheckJob.objects.get(pk=job.pk)
    service.pin_version(job, 1, user=boss)
    origin.commit({"main.py": "new"})
    Sources(repositories).script(claimed, check_id=uuid.uuid4())
    job.refresh_from_db()
    assert (job.script_version_pin, job.script_archive_id) == (1, job.versions.get(number=1).archive_id)


def test_jobs_share_what_was_fetched(git_job: Make, run: Run, origin: Origin, cache: Any) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    assert [run(git_job()).revision, run(git_job()).revision] == [commit, commit]
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == 1
    assert ScriptArchive.objects.count() == 1


@pytest.mark.parametrize("table", ["custom_check_jobs", "script_versions", "custom_check_logs", "django_session"])
def test_a_token_is_used_from_its_secret_and_stored_nowhere(
    git_job: Make, run: Run, origin: Origin, server: GitServer, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = make_secret("git", TOKEN)
    commit = origin.commit({"main.py": SCRIPT})
    server.authorization = basic(f"x-access-token:{TOKEN}")
    with caplog.at_level("DEBUG"):
        assert run(git_job(script_git_token="secret_ref:git")).revision == commit
    assert SecretUse.objects.get().secret == secret
    assert TOKEN not in caplog.text
    assert basic(f"x-access-token:{TOKEN}")[6:] not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        assert TOKEN not in str(cursor.fetchall())


def test_a_token_has_to_be_granted(git_job: Make, server: GitServer, db: None) -> None:
    with pytest.raises(ValidationError) as refused:
        git_job(script_git_token="secret_ref:nothing")
    assert list(refused.value.message_dict) == ["script_git_token"]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("script_git_token", ["ghp_literal", "Bearer secret_ref:git", "secret_ref:", "secret_ref:git secret_ref:git"]),
        ("script_git_commit", ["abc", "HEAD", "1" * 39, "1" * 41, "G" * 40, "--upload-pack=x", "A" * 40]),
        ("script_git_path", ["/etc", "../x", "a//b", "a/", "-x", "a\\b", "a\nb", "./a", ".", "a/-b", "\u202ea"]),
        ("script_source_policy", ["", "none"]),
        (
            "script_git_url",
            ["http://x.example.com/r", "ext::sh -c x", "https://u:p@x.example.com/r", "https::https://x"],
        ),
        ("script_git_branch", ["--upload-pack=touch x", "-c", ":refs/heads/x", "+x", "a..b", "a~1", "x.lock", "@{-1}"]),
    ],
)
def test_fields_that_git_could_misread_are_refused(git_job: Make, field: str, values: list[str]) -> None:
    make_secret("git", TOKEN)
    for value in values:
        with pytest.raises(ValidationError) as refused:
            git_job(**{field: value})
        assert list(refused.value.message_dict) == [field]
    assert CustomCheckJob.objects.count() == 0


def test_a_rollback_takes_one_call_and_holds_against_pushes(
    git_job: Make, run: Run, origin: Origin, boss: User
) -> None:
    job = git_job()
    first = origin.commit({"main.py": "old"})
    run(job)
    origin.commit({"main.py": "new"})
    run(job)
    service.pin_version(job, 1, user=boss)
    origin.commit({"main.py": "newer"})
    found = run(job)
    assert (found.revision, found.version, found.source) == (first, 1, "pinned")
    service.unpin_version(job, user=boss)
    assert (run(job).version, run(job).source) == (3, "")


def test_a_pinned_job_needs_no_repository(
    git_job: Make, run: Run, origin: Origin, server: GitServer, boss: User
) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    run(job)
    service.pin_version(job, None, user=boss)
    server.stop()
    assert (run(job).version, run(job).source) == (1, "pinned")


def test_another_source_ends_the_pin(git_job: Make, run: Run, origin: Origin, boss: User) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    run(job)
    service.pin_version(job, 1, user=boss)
    service.update_job(job, {"script_git_branch": "main", "name": "same"}, user=boss)
    assert job.script_version_pin == 1
    service.update_job(job, {"script_git_branch": "next"}, user=boss)
    assert job.script_version_pin is None


def make_uploaded(boss: User, *texts: str) -> CustomCheckJob:
    data = {"name": "u", "script_source_type": "upload", "script_runtime": "python"}
    job = service.create_job(data, archive=None, user=boss)
    for text in texts:
        service.store_script(job, upload(text), user=boss)
    return job


def test_every_upload_is_a_version_and_the_same_one_twice_is_not(boss: User) -> None:
    job = make_uploaded(boss, "a", "b", "b", "a")
    assert [version.number for version in job.versions.all()] == [3, 2, 1]
    assert {version.created_by for version in job.versions.all()} == {boss}
    assert job.script_archive_id == upload("a").sha256


def test_an_upload_does_not_end_a_pin(boss: User, run: Run) -> None:
    job = make_uploaded(boss, "a", "b")
    service.pin_version(job, 1, user=boss)
    service.store_script(job, upload("c"), user=boss)
    assert (run(job).version, run(job).archive.read("main.py")) == (1, b"a")
    service.unpin_version(job, user=boss)
    assert run(job).archive.read("main.py") == b"c"


@pytest.mark.parametrize("number", [0, 3, 2**31 - 1])
def test_a_version_that_is_not_there_cannot_be_pinned(boss: User, number: int) -> None:
    with pytest.raises(ValidationError, match=f"no version {number}"):
        service.pin_version(make_uploaded(boss, "a", "b"), number, user=boss)


def test_a_version_without_the_jobs_entrypoint_cannot_be_pinned(boss: User) -> None:
    job = make_uploaded(boss, "a")
    service.update_job(job, {"script_entrypoint": "b.py"}, archive=upload(name="b.py"), user=boss)
    with pytest.raises(ValidationError, match=r"has no file 'b\.py'"):
        service.pin_version(job, 1, user=boss)


def test_a_job_that_changes_from_git_to_uploads_waits_for_one(
    git_job: Make, run: Run, origin: Origin, boss: User
) -> None:
    job = git_job()
    origin.commit({"main.py": SCRIPT})
    run(job)
    service.update_job(job, {"script_source_type": "upload"}, user=boss)
    assert (job.script_archive, job.not_runnable()) == (None, "The job has no script yet: upload one first.")


def test_old_versions_go_as_new_ones_come_and_those_in_use_stay(
    boss: User, django_capture_on_commit_callbacks: Any
) -> None:
    job = make_uploaded(boss, "0", "1")
    service.pin_version(job, 2, user=boss)
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(2, 25):
            service.store_script(job, upload(str(number)), user=boss)
    assert [version.number for version in job.versions.all()] == [*range(25, 5, -1), 2]
    assert ScriptArchive.objects.count() == 21


def test_a_version_that_was_in_use_goes_when_it_is_not(boss: User) -> None:
    job = make_uploaded(boss, "0")
    service.pin_version(job, 1, user=boss)
    for number in range(1, 22):
        service.store_script(job, upload(str(number)), user=boss)
    service.unpin_version(job, user=boss)
    versions.collect(timezone.now() + timedelta(days=1))
    assert [version.number for version in job.versions.all()] == [*range(22, 2, -1)]


def test_an_archive_that_was_just_stored_is_not_collected(db: None) -> None:
    versions.store(upload())
    versions.collect(timezone.now())
    assert ScriptArchive.objects.count() == 1
    versions.collect(timezone.now() + timedelta(days=1))
    assert ScriptArchive.objects.count() == 0


def test_once_a_day_what_nobody_uses_is_removed(db: None, settings: Any, tmp_path: Path) -> None:
    settings.TECKO_HOME = tmp_path
    unused = tmp_path / "git" / ("a" * 32)
    unused.mkdir(parents=True)
    os.utime(unused, (0, 0))
    versions.store(upload())
    ScriptArchive.objects.update(created_at=timezone.now() - timedelta(days=1))
    tasks.schedule()
    tasks.schedule()
    func = import_string(Schedule.objects.get(func=tasks.COLLECT).func)
    assert func() == {"versions": 1, "trials": 0, "former_values": 0, "repositories": 1}
    assert not unused.exists()


def test_a_deleted_job_takes_its_versions_with_it_but_not_those_of_others(boss: User) -> None:
    job, _other = make_uploaded(boss, "a", "b"), make_uploaded(boss, "b")
    service.delete_job(job)
    assert [archive.sha256 for archive in ScriptArchive.objects.all()] == [upload("b").sha256]
