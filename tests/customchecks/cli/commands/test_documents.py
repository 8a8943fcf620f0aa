"""``export``, ``apply`` and ``clone``."""

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from customchecks.jobs.models import CustomCheckJob
from tests.customchecks.cli.conftest import Cli, Ended
from tests.factories import make_secret

MakeJob = Callable[..., CustomCheckJob]
Here = Callable[..., Ended]
DOCUMENT = """
teckochecker: 1
jobs:
- name: nightly
  script_source_type: upload
  script_runtime: python
  script: checker
  poll_interval_seconds: 60
  tags: [exports]
"""


@pytest.fixture
def file(tmp_path: Path, script: Path) -> Path:
    path = tmp_path / "jobs.yaml"
    path.write_text(DOCUMENT)
    return path


def test_a_document_is_applied_with_its_scripts_and_then_nothing_is_left_to_do(cli: Cli, file: Path) -> None:
    first = cli("apply", "-f", str(file))
    job = CustomCheckJob.objects.get()
    assert (first.code, first.out) == (0, "created\tnightly\t\n")
    assert (job.poll_interval_seconds, job.tags, job.script_archive is not None) == (60, ["exports"], True)
    second = cli("apply", "-f", "-", stdin=DOCUMENT.replace("script: checker", f"script: {file.parent / 'checker'}"))
    assert (second.code, second.out, second.err) == (0, "unchanged\tnightly\t\n", "0 of 1 jobs changed.\n")
    assert job.versions.count() == 1


def test_a_dry_run_shows_each_change_and_makes_none(here: Here, file: Path, script: Path) -> None:
    here("apply", "-f", str(file))
    (script / "main.py").write_text("print()")
    file.write_text(DOCUMENT.replace("60", "120") + "- {name: new, script_source_type: upload, script_runtime: node}\n")
    ended = here("apply", "-f", str(file), "--dry-run")
    rows = [line.split("\t") for line in ended.out.splitlines()]
    assert rows[0] == ["updated", "nightly", "poll_interval_seconds: 60 -> 120"]
    assert (rows[1][:2], rows[1][2].startswith("script: "), rows[2]) == (
        ["updated", "nightly"],
        True,
        ["created", "new", ""],
    )
    assert ended.err == "2 of 2 jobs would change.\n"
    assert [job.poll_interval_seconds for job in CustomCheckJob.objects.all()] == [60]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (DOCUMENT.replace("60", "6"), 4, "jobs[0].poll_interval_seconds: "),
        (DOCUMENT.replace("script: checker", "script: nowhere"), 3, "There is no directory or file"),
        ("jobs: [", 4, "is not YAML that can be used"),
        ("jobs: &a []", 4, "anchors"),
        ("{}", 4, "jobs: A list of jobs is wanted here."),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    here: Here, file: Path, text: str, code: int, message: str
) -> None:
    file.write_text(text)
    ended = here("apply", "-f", str(file))
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not CustomCheckJob.objects.exists()


def test_a_file_that_is_not_there_is_not_found(here: Here, db: None) -> None:
    assert here("apply", "-f", "/nonexistent/jobs.yaml").code == 3


def test_an_export_goes_round_with_its_scripts_and_without_values(cli: Cli, make_job: MakeJob, tmp_path: Path) -> None:
    secret = make_secret("api", "canary-7Hq9/Zw")
    make_job(env_vars={"KEY": f"secret_ref:{secret.pk}"}, tags=["x"])
    make_job("other")
    ended = cli("export", "--tag", "x", "--scripts", str(tmp_path / "scripts"))
    (entry,) = yaml.safe_load(ended.out)["jobs"]
    assert (entry["name"], entry["env_vars"]) == ("nightly", {"KEY": "secret_ref:api"})
    assert "canary" not in ended.out
    CustomCheckJob.objects.all().delete()
    assert cli("apply", "-f", "-", "--json", stdin=ended.out).json["results"][0]["action"] == "created"
    assert CustomCheckJob.objects.get().script_archive is not None


def test_a_terminal_gets_no_characters_that_drive_it(cli: Cli, make_job: MakeJob) -> None:
    make_job(check_params={"a": "x\x1b[2J\u202ey"})
    outside, inside = pty.openpty()
    done = subprocess.run(cli.argv(("export",)), env=cli.env, stdout=inside, stderr=subprocess.PIPE, check=True)
    os.close(inside)
    shown = os.read(outside, 65536)
    os.close(outside)
    assert b"\x1b" not in shown
    assert yaml.safe_load(shown)["jobs"][0]["check_params"] == {"a": "x\x1b[2J\u202ey"}
    assert done.stderr == b""


def test_a_clone_is_paused_and_named(cli: Cli, make_job: MakeJob) -> None:
    make_job()
    ended = cli("clone", "nightly", "--name", "weekly")
    clone = CustomCheckJob.objects.get(name="weekly")
    assert (ended.code, ended.out, clone.status) == (0, f"{clone.pk}\n", "paused")
    assert clone.script_archive is not None
