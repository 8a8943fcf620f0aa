"""Each command about jobs, as a process."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Verdict
from secrets_app.models import Secret, SecretGrant
from tests.customchecks.cli.conftest import Cli, Ended, answer
from tests.factories import make_secret

MakeJob = Callable[..., CustomCheckJob]
Here = Callable[..., Ended]


def test_create_stores_what_the_options_say_and_prints_the_number(cli: Cli, script: Path) -> None:
    ended = cli(
        *("create", "--name", "nightly", "--from", str(script), "--runtime", "python", "--interval", "60"),
        *("--param", "task=007", "--param", "limit:=3", "--env", "REGION=eu=west", "--memory", "128", "--cpu", "0.25"),
        *("--webhook-url", "https://hooks.example.com/x", "--webhook-header", "X-Key=v", "--timeout", "20"),
    )
    job = CustomCheckJob.objects.get()
    assert (ended.code, ended.out) == (0, f"{job.pk}\n")
    assert (job.name, job.poll_interval_seconds, job.timeout_seconds) == ("nightly", 60, 20)
    assert job.check_params == {"task": "007", "limit": 3}
    assert (job.env_vars, job.webhook_headers) == ({"REGION": "eu=west"}, {"X-Key": "v"})
    assert (job.memory_mb, job.cpu_cores, job.script_entrypoint) == (128, 0.25, "main.py")
    assert job.script_archive is not None
    assert job.next_check_at is not None


def test_create_sets_the_limits_and_show_tells_them(cli: Cli, script: Path) -> None:
    limits = ("--deadline", "60", "--max-checks", "7", "--max-errors", "3", "--alert-after", "2")
    words = ("--runtime", "python", "--alert-url", "https://alerts.example.com/x")
    cli("create", "--name", "x", "--from", str(script), *words, *limits)
    shown = cli("show", "x", "--json").json
    names = ("deadline_seconds", "max_checks", "max_consecutive_errors", "alert_after_errors", "alert_url")
    assert [shown[name] for name in names] == [60, 7, 3, 2, "https://alerts.example.com/x"]
    assert {"progress", "next_check_in", "deadline_at"} <= set(shown)


def test_update_takes_what_create_takes(here: Here, make_job: MakeJob) -> None:
    job = make_job("x")
    limits = ("--deadline", "60", "--max-checks", "7", "--max-errors", "3", "--alert-after", "2")
    webhook = ("--webhook-method", "PUT", "--alert-url", "https://alerts.example.com/x")
    assert here("update", str(job.pk), *limits, *webhook).code == 0
    job.refresh_from_db()
    assert (job.deadline_seconds, job.max_checks, job.max_consecutive_errors, job.alert_after_errors) == (60, 7, 3, 2)
    assert (job.webhook_method, job.alert_url) == ("PUT", "https://alerts.example.com/x")
    options = [set(re.findall(r"--[a-z-]+", here(command, "--help").out)) for command in ("create", "update")]
    assert options[0] == options[1]


@pytest.mark.parametrize("command", [("update",), ("group", "update")])
def test_the_help_of_a_change_names_no_default_of_new_rows(here: Here, command: tuple[str, ...]) -> None:
    assert here(*command, "--help").out.count("[default:") == 1  # --user


def test_create_belongs_to_the_first_superuser(cli: Cli, script: Path) -> None:
    cli("create", "--name", "mine", "--from", str(script), "--runtime", "python")
    assert CustomCheckJob.objects.get().owner.username == "boss"


def test_create_reads_a_configuration_from_stdin_and_options_win_over_it(cli: Cli, script: Path) -> None:
    config = {"name": "written", "script_runtime": "python", "check_params": {"a": 1}, "poll_interval_seconds": 30}
    words = ("create", "--config", "-", "--from", str(script), "--name", "typed", "--param", "b=2", "--json")
    job = cli(*words, stdin=json.dumps(config)).json
    assert (job["name"], job["check_params"], job["poll_interval_seconds"]) == ("typed", {"a": 1, "b": "2"}, 30)


def test_create_takes_the_keboola_job_that_is_to_be_started_from_a_configuration(cli: Cli, script: Path) -> None:
    make_secret("keboola", "the token of keboola", kind="keboola")
    config = {
        "keboola_stack_url": "https://connection.example.com",
        "keboola_component_id": "kds.app",
        "keboola_configuration_id": "42",
        "keboola_token": "secret_ref:keboola",
    }
    words = ("create", "--config", "-", "--from", str(script), "--name", "nightly", "--runtime", "python", "--json")
    assert cli(*words, stdin=json.dumps(config)).json.items() >= {**config, "keboola_on": "success"}.items()
    refused = cli(*words, stdin=json.dumps(config | {"keboola_component_id": ""}))
    assert (refused.code, "keboola_component_id (--config): To start" in refused.err) == (4, True)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("status", "This field cannot be set."),
        ("id", "This field cannot be set."),
        ("colour", "There is no such field."),
    ],
)
def test_create_takes_only_fields_that_can_be_set(
    field: str, message: str, here: Here, script: Path, tmp_path: Path
) -> None:
    config = tmp_path / "job.json"
    config.write_text(json.dumps({"name": "x", "script_runtime": "python", field: "1"}))
    ended = here("create", "--config", str(config), "--from", str(script))
    assert (ended.code, ended.err) == (4, f"Invalid: {field}: {message}\n")
    assert not CustomCheckJob.objects.exists()


def test_create_grants_the_secrets_that_it_names(cli: Cli, script: Path) -> None:
    secret = make_secret("api", "a long enough value")
    cli("create", "--name", "x", "--from", str(script), "--runtime", "python", "--env", "KEY=secret_ref:api")
    assert SecretGrant.objects.get().secret == secret


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--interval", "3"], "poll_interval_seconds (--interval)"),
        (["--env", "PATH=x"], "env_vars (--env): 'PATH' cannot be set"),
        (["--param", "run-id=7"], "check_params (--param): 'run-id' cannot be a variable"),
        (["--env", "KEY=secret_ref:nobody"], "There is no secret 'nobody' that you may use."),
        (["--runtime", "ruby"], "script_runtime (--runtime)"),
        (["--entrypoint", "absent.py"], "script_entrypoint (--entrypoint)"),
        (["--webhook-url", "http://127.0.0.1/"], "webhook_url (--webhook-url)"),
        (["--deadline", "3"], "deadline_seconds (--deadline)"),
        (["--max-checks", "0"], "max_checks (--max-checks)"),
        (["--max-errors", "0"], "max_consecutive_errors (--max-errors)"),
        (["--alert-after", "0"], "alert_after_errors (--alert-after)"),
        (["--alert-url", "http://127.0.0.1/"], "alert_url (--alert-url)"),
    ],
)
def test_create_refuses_with_the_field_and_stores_nothing(
    words: list[str], message: str, here: Here, script: Path
) -> None:
    ended = here("create", "--name", "x", "--from", str(script), "--runtime", "python", *words)
    assert (ended.code, ended.out) == (4, "")
    assert message in ended.err
    assert not CustomCheckJob.objects.exists()


def test_list_is_json_as_the_api_lists(cli: Cli, make_job: MakeJob) -> None:
    make_job("a")
    make_job("b").pause()
    listed = cli("list", "--status", "paused", "--json").json
    assert (listed["total"], listed["limit"], listed["offset"]) == (1, 100, 0)
    assert [(job["name"], job["status"]) for job in listed["jobs"]] == [("b", "paused")]


def test_list_in_a_pipe_is_a_line_of_tabs_a_job(cli: Cli, make_job: MakeJob) -> None:
    job = make_job("a\x1b[31mred")
    assert cli("list").out.split("\t")[:3] == [str(job.pk), "a\\x1b[31mred", "active"]


def on_a_terminal(cli: Cli, *words: str, **env: str) -> str:
    master, slave = pty.openpty()
    subprocess.run(cli.argv(words), env=cli.env | {"TERM": "xterm", "COLUMNS": "160"} | env, stdout=slave, check=True)
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    return shown


def test_list_on_a_terminal_is_a_table(cli: Cli, make_job: MakeJob) -> None:
    make_job()
    shown = on_a_terminal(cli, "list")
    assert "Last verdict" in shown
    assert "\x1b[" in shown


def test_no_color_is_respected(cli: Cli, make_job: MakeJob) -> None:
    make_job()
    shown = on_a_terminal(cli, "list", NO_COLOR="1")
    assert "Last verdict" in shown
    assert "\x1b[3" not in shown


def test_show_takes_a_number_or_a_name(cli: Cli, make_job: MakeJob) -> None:
    job = make_job()
    assert cli("show", "nightly", "--json").json["id"] == job.pk
    assert f"name\t{job.name}\n" in cli("show", str(job.pk)).out


def test_show_says_that_a_job_waits_for_its_script(here: Here) -> None:
    job = CustomCheckJob.objects.create(name="bare", script_source_type="upload", script_runtime="python")
    assert "The job has no script yet: upload one first." in here("show", str(job.pk)).err


def test_an_unknown_job_is_not_found(here: Here) -> None:
    ended = here("show", "nothing")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == "NotFound: There is no job 'nothing'. See: manage.py customcheck list\n"


def test_a_name_of_several_jobs_asks_for_a_number(here: Here, make_job: MakeJob) -> None:
    ids = [make_job("twin").pk, make_job("twin").pk]
    ended = here("pause", "twin")
    assert ended.code == 4
    assert f"of {ids[0]}, {ids[1]}." in ended.err


def test_pause_and_resume_move_a_job(cli: Cli, make_job: MakeJob) -> None:
    job = make_job()
    assert cli("pause", "nightly", "--json").json["status"] == "paused"
    assert cli("resume", "nightly").code == 0
    job.refresh_from_db()
    assert job.status == "active"


def test_a_script_comes_from_a_repository(cli: Cli) -> None:
    make_secret("git", "a-token-of-a-repository")
    sha = "6a7e19c0d1f24f6b9d3f0a5c1b2e3d4f5a6b7c8d"
    made = cli(
        *("create", "--name", "nightly", "--runtime", "python", "--git-url", "https://git.example.com/team/checks.git"),
        *("--git-branch", "next", "--git-commit", sha, "--git-path", "nightly", "--git-token-secret", "git"),
    )
    job = CustomCheckJob.objects.get()
    assert (made.code, job.script_source_type, job.script_git_branch) == (0, "git", "next")
    assert (job.script_git_commit, job.script_git_path, job.script_git_token) == (sha, "nightly", "secret_ref:git")
    assert cli("update", "nightly", "--git-commit", "", "--git-path", "", "--git-token-secret", "").code == 0
    job.refresh_from_db()
    assert (job.script_git_commit, job.script_git_path, job.script_git_token) == (None, None, None)
    assert job.script_git_url == "https://git.example.com/team/checks.git"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--git-url", "https://git.example.com/r", "--from", "."), 2, "--from, --git-url"),
        (("--git-branch", "next"), 2, "--from, --git-url"),
        (("--git-url", "ftp://git.example.com/r"), 4, "script_git_url (--git-url)"),
        (("--git-url", "https://git.example.com/r", "--git-commit", "main"), 4, "script_git_commit (--git-commit)"),
        (("--git-url", "https://git.example.com/r", "--git-path", "../x"), 4, "script_git_path (--git-path)"),
        (("--git-url", "https://git.example.com/r", "--git-branch", "-x"), 4, "script_git_branch (--git-branch)"),
        (
            ("--git-url", "https://git.example.com/r", "--git-token-secret", "no"),
            4,
            "script_git_token (--git-token-secret)",
        ),
    ],
)
def test_an_odd_repository_is_refused_with_its_option(here: Here, words: tuple[str, ...], code: int, said: str) -> None:
    ended = here("create", "--name", "nightly", "--runtime", "python", *words)
    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_restart_starts_a_new_cycle(cli: Cli, make_job: MakeJob) -> None:
    answer(make_job(), Verdict.SUCCESS)
    assert cli("restart", "nightly", "--json").json["cycle"] == 2


def test_a_restart_that_starts_keboola_again_is_asked_about(cli: Cli, make_job: MakeJob) -> None:
    keboola = {"keboola_stack_url": "https://connection.keboola.com", "keboola_component_id": "app"}
    job = make_job(webhook_url="https://93.184.215.14/a-secret-path", keboola_configuration_id="17", **keboola)
    answer(job, Verdict.SUCCESS)
    refused = cli("restart", "nightly")
    assert refused.code == 2
    assert f"custom {job.pk} (nightly): Keboola component app, configuration 17\n" in refused.err
    assert f"custom {job.pk} (nightly): webhook https://93.184.215.14\n" in refused.err
    job.refresh_from_db()
    assert job.cycle == 1
    assert cli("restart", "nightly", "--yes", "--json").json["cycle"] == 2


def test_a_refused_transition_says_why(cli: Cli, make_job: MakeJob) -> None:
    make_job()
    ended = cli("resume", "nightly")
    assert ended.code == 1
    assert ended.err == "Failed: A job that is active cannot be resumed; it must be paused.\n"


def test_delete_takes_the_job_its_logs_and_its_grants(cli: Cli, make_job: MakeJob) -> None:
    job = make_job()
    answer(job, Verdict.PENDING)
    secret = Secret.objects.create(name="api", ciphertext="x")
    SecretGrant.objects.create(secret=secret, job_kind="custom", job_id=job.pk)
    assert cli("delete", "nightly", "--yes", "--json").json == {"id": job.pk, "name": "nightly"}
    assert not CustomCheckJob.objects.exists()
    assert not SecretGrant.objects.exists()


def test_delete_without_a_terminal_needs_yes(cli: Cli, make_job: MakeJob) -> None:
    make_job()
    ended = cli("delete", "nightly")
    assert (ended.code, ended.err) == (2, "Usage: Say --yes: there is no terminal to ask on.\n")
    assert CustomCheckJob.objects.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing command."),
        (["creat"], "No such command 'creat'."),
        (["list", "--bogus"], "No such option: --bogus"),
        (["show"], "Missing argument 'JOB'."),
        (["create", "--name", "x", "--runtime", "python"], "name the script's directory or .tgz, or its repository."),
        (["create", "--env", "topsecret"], "--env: write KEY=VALUE."),
        (["create", "--param", "n:=nan"], "--param: 'n:=nan' is not KEY:=JSON"),
    ],
)
def test_a_wrong_usage_is_one_line(words: list[str], message: str, here: Here) -> None:
    ended = here(*words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert message in ended.err
    assert "topsecret" not in ended.err


def test_a_missing_script_is_not_found(here: Here, tmp_path: Path) -> None:
    assert here("create", "--name", "x", "--from", str(tmp_path / "absent"), "--runtime", "python").code == 3


def test_a_database_that_is_not_set_up_is_one_line(cli: Cli, tmp_path: Path) -> None:
    ended = cli("list", DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert ended.code == 1
    assert "Run manage.py prepare." in ended.err


@pytest.mark.parametrize(
    "command",
    [
        *("create", "list", "show", "logs", "trigger", "test", "build-images"),
        *("pause", "resume", "restart", "delete", "doctor"),
    ],
)
def test_help_has_an_example(command: str, here: Here) -> None:
    ended = here(command, "--help")
    assert ended.code == 0
    assert f"manage.py customcheck {command}" in ended.out.replace("Usage: manage.py", "")
