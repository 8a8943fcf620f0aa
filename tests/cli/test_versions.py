"""The commands about versions of a script."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from customchecks.models import CustomCheckJob
from tests.cli.conftest import Cli, Ended

MakeJob = Callable[..., CustomCheckJob]
Here = Callable[..., Ended]


def change(script: Path, text: str) -> None:
    (script / "main.py").write_text(text)


def test_a_new_script_is_a_new_version(here: Here, make_job: MakeJob, script: Path) -> None:
    job = make_job()
    change(script, "print('new')")
    ended = here("upload-script", "nightly", str(script))
    assert (ended.code, ended.out) == (0, "2\n")
    assert [version.number for version in job.versions.all()] == [2, 1]


def test_versions_are_listed(here: Here, make_job: MakeJob) -> None:
    job = make_job()
    listed = here("versions", "nightly").out.split("\t")
    assert (listed[0], listed[3], listed[-1]) == ("1", str(job.script_archive_id)[:12], "now\n")
    assert json.loads(here("versions", "nightly", "--json").out)["versions"][0]["version"] == 1


def test_a_rollback_holds_until_the_job_is_unpinned(here: Here, make_job: MakeJob, script: Path) -> None:
    job = make_job()
    change(script, "print('new')")
    here("upload-script", "nightly", str(script))
    assert here("rollback", "nightly", "1").code == 0
    job.refresh_from_db()
    assert job.script_version_pin == 1
    assert here("unpin", "nightly").code == 0
    job.refresh_from_db()
    assert job.script_version_pin is None


def test_a_pin_keeps_what_runs(here: Here, make_job: MakeJob, script: Path) -> None:
    make_job()
    assert here("pin", "nightly").out == "1\n"
    change(script, "print('new')")
    assert "has version 2; it stays with version 1" in here("upload-script", "nightly", str(script)).err


def test_a_version_that_is_not_there_is_an_invalid_value(here: Here, make_job: MakeJob) -> None:
    make_job()
    ended = here("rollback", "nightly", "7")
    assert ended.code == 4
    assert "The job has no version 7." in ended.err


def test_a_directory_is_validated_without_an_engine(cli: Cli, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    ended = cli("validate", str(script))
    assert (ended.code, ended.out.split("\t")[0]) == (0, "main.py")


def test_a_directory_without_the_entrypoint_is_not_valid(here: Here, script: Path) -> None:
    ended = here("validate", str(script), "--runtime", "node")
    assert ended.code == 4
    assert "has no file 'index.js'" in ended.err


def test_a_directory_with_a_link_is_not_valid(here: Here, script: Path) -> None:
    (script / "link").symlink_to("/etc/passwd")
    assert here("validate", str(script)).code == 4


@pytest.mark.parametrize(
    "words",
    [
        ("ext::sh -c x://y",),
        ("file:///etc",),
        ("https://127.0.0.1/r",),
        ("https://git.example.com/r", "--branch", "-x"),
    ],
)
def test_a_repository_that_may_not_be_asked_is_not_asked(here: Here, words: tuple[str, ...]) -> None:
    ended = here("validate", *words)
    assert ended.code in (1, 4)
    assert ended.out == ""


@pytest.mark.parametrize("words", [("--runtime", "ruby"), ("--entrypoint", "/etc/passwd")])
def test_a_wrong_option_is_said(here: Here, script: Path, words: tuple[str, str]) -> None:
    assert here("validate", str(script), *words).code == 4
