"""The commands about versions of a script."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from customchecks.archives.script_archive import from_directory
from customchecks.jobs.models import CustomCheckJob
from tests.customchecks.cli.conftest import Cli, Ended
from tests.customchecks.git.server import GitServer, Origin

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


def test_an_archive_is_validated(here: Here, script: Path, tmp_path: Path) -> None:
    archive = from_directory(script)
    (tmp_path / "script.tgz").write_bytes(archive.content)
    assert here("validate", str(tmp_path / "script.tgz"), "--json").json["sha256"] == archive.sha256


@pytest.mark.parametrize(
    ("line", "remedy"), [("--index-url https://evil.example/", "package index"), ("./package", "source")]
)
def test_a_script_whose_manifest_an_upload_is_refused_for_is_not_valid(
    here: Here, script: Path, line: str, remedy: str
) -> None:
    (script / "requirements.txt").write_text(f"{line}\n")
    (script / "package").mkdir()
    (script / "package" / "setup.py").write_text("")
    ended = here("validate", str(script))
    assert (ended.code, ended.out) == (4, "")
    assert remedy in ended.err


def test_a_manifest_with_a_folder_is_valid_where_source_builds_are_allowed(here: Here, script: Path) -> None:
    (script / "requirements.txt").write_text("./package\n")
    (script / "package").mkdir()
    (script / "package" / "setup.py").write_text("")
    assert here("validate", str(script), "--source-builds").code == 0


def test_the_manifest_that_counts_is_named(here: Here, script: Path) -> None:
    (script / "Pipfile").write_text('[packages]\nsix = "*"\n')
    assert here("validate", str(script), "--json").json["dependencies"] == "Pipfile"
    assert "Dependencies: Pipfile" in here("validate", str(script)).err


def test_a_manifest_that_cannot_be_followed_is_named(here: Here, script: Path) -> None:
    (script / "environment.yml").write_text("dependencies:\n- six\n")
    ended = here("validate", str(script))
    assert ended.code == 4
    assert "environment.yml is not followed" in ended.err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = GitServer(tmp_path, context)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runtime", "perl"), "script_runtime (--runtime): "),
        (("--entrypoint", "../x.py"), "script_entrypoint (--entrypoint): "),
        (("--git-branch", ""), "script_git_branch (--git-branch): "),
        (("--git-commit", "main"), "script_git_commit (--git-commit): "),
        (("--git-path", "../x"), "script_git_path (--git-path): "),
    ],
)
def test_what_is_odd_is_named_with_its_option(here: Here, words: tuple[str, ...], said: str) -> None:
    ended = here("validate", "https://git.example.com/team/checks.git", *words)
    assert (ended.code, said in ended.err) == (4, True), ended.err


def test_a_repository_is_validated_without_an_engine(cli: Cli, server: GitServer, tmp_path: Path) -> None:
    origin = Origin(tmp_path)
    commit = origin.commit({"nightly/main.py": "x"})
    env = {"DOCKER_HOST": "unix:///nowhere", "TECKO_WEBHOOK_ALLOW": "127.0.0.1"}
    words = ("validate", server.url(host="127.0.0.1"), "--path", "nightly")
    trusting = cli(*words, **env, TECKO_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert (trusting.code, trusting.out) == (0, "main.py\t1\n"), trusting.err
    assert f"Commit {commit}" in trusting.err
    assert "certificate was not accepted" in cli(*words, **env).err
    origin.commit({"nightly/main.py": "newer"})
    older = cli(*words, "--commit", commit, **env, TECKO_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert (older.code, older.out) == (0, "main.py\t1\n"), older.err


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
