"""``logs``, ``trigger`` and ``test``, as processes."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.base.results import Cause, Verdict
from secrets_app.models import SecretGrant, SecretUse
from tests.customchecks.cli.conftest import Cli, Ended, answer
from tests.factories import make_secret

MakeJob = Callable[..., CustomCheckJob]
Here = Callable[..., Ended]
Start = Callable[..., Popen[str]]
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


# logs


def test_logs_are_json_as_the_api_lists(cli: Cli, make_job: MakeJob) -> None:
    job = make_job()
    first = answer(job, Verdict.PENDING)
    job.trigger()
    second = answer(job, Verdict.ERROR, cause=Cause.TIMEOUT, message="too slow", stdout="out")
    listed = cli("logs", "nightly", "--json").json
    assert ([log["id"] for log in listed["logs"]], listed["total"]) == ([second.pk, first.pk], 2)
    assert (listed["logs"][0]["status"], listed["logs"][0]["cause"]) == ("error", "timeout")
    assert listed["logs"][0]["script_output"]["stdout"] == "out"


def test_logs_can_be_few_and_of_one_verdict(here: Here, make_job: MakeJob) -> None:
    job = make_job()
    for verdict in (Verdict.PENDING, Verdict.ERROR, Verdict.PENDING):
        job.trigger()
        last = answer(job, verdict)
    assert [
        log["id"] for log in here("logs", "nightly", "--status", "pending", "--limit", "1", "--json").json["logs"]
    ] == [last.pk]


def test_logs_show_a_hostile_message_harmlessly(here: Here, make_job: MakeJob) -> None:
    answer(make_job(), Verdict.PENDING, message="a\x1b[2Jb\u202ec\nd\te")
    assert here("logs", "nightly").out.rstrip("\n").split("\t")[-1] == "a\\x1b[2Jb\\u202ec d e"


def test_logs_show_on_demand_what_a_script_printed_last(here: Here, make_job: MakeJob) -> None:
    lines = [f"line {number}" for number in range(20)]
    answer(make_job(), Verdict.ERROR, cause=Cause.TIMEOUT, stderr="\n".join([*lines, "Value\x1bError: no"]))
    shown = here("logs", "nightly", "--output").out.splitlines()
    assert (len(shown), shown[-1], shown[1]) == (11, "    stderr: Value\\x1bError: no", "    stderr: line 11")
    assert len(here("logs", "nightly").out.splitlines()) == 1


def test_logs_follow_prints_what_comes(following: Start, make_job: MakeJob) -> None:
    job = make_job()
    before = answer(job, Verdict.PENDING)
    process = following("logs", "nightly", "--follow", "--json")
    assert process.stdout is not None
    assert f'"id": {before.pk}' in process.stdout.readline()
    job.trigger()
    log = answer(job, Verdict.PENDING)
    assert f'"id": {log.pk}' in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


# trigger


def test_trigger_makes_a_job_due(cli: Cli, make_job: MakeJob) -> None:
    job = make_job(next_check_at=None)
    assert cli("trigger", "nightly").code == 0
    job.refresh_from_db()
    assert job.next_check_at is not None


def test_trigger_of_a_finished_job_is_refused(here: Here, make_job: MakeJob) -> None:
    answer(make_job(), Verdict.SUCCESS)
    assert here("trigger", "nightly").code == 1


@pytest.mark.parametrize(
    ("verdict", "cause", "code"),
    [
        (Verdict.SUCCESS, None, 0),
        (Verdict.PENDING, None, 10),
        (Verdict.FAILED, None, 20),
        (Verdict.ERROR, Cause.SCRIPT, 30),
        (Verdict.ERROR, Cause.ENGINE_UNAVAILABLE, 5),
    ],
)
def test_trigger_waits_for_the_next_verdict(
    verdict: Verdict, cause: Cause | None, code: int, following: Start, make_job: MakeJob
) -> None:
    job = make_job()
    answer(job, Verdict.PENDING)  # an earlier one is not waited for
    process = following("trigger", "nightly", "--wait", "--json")
    wait_until(lambda: CustomCheckJob.objects.due(timezone.now()).exists())
    log = answer(job, verdict, cause=cause)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert f'"id": {log.pk}' in out


def test_trigger_does_not_wait_for_ever(here: Here, make_job: MakeJob) -> None:
    make_job()
    ended = here("trigger", "nightly", "--wait", "--timeout", "0.1")
    assert ended.code == 1
    assert "No check ended within 0.1 s." in ended.err


# test


@pytest.mark.engine
@pytest.mark.parametrize(("verdict", "code"), [("SUCCESS", 0), ("PENDING", 10), ("FAILED", 20), ("ERROR", 30)])
def test_test_exits_by_the_verdict(verdict: str, code: int, cli: Cli, script: Path) -> None:
    (script / "main.py").write_text(f"import json\nprint(json.dumps({{'status': '{verdict}', 'message': 'so'}}))")
    ended = cli("test", str(script), "--runtime", "python", "--json")
    assert (ended.code, ended.json["status"], ended.json["message"]) == (code, verdict.lower(), "so")


@pytest.mark.engine
def test_test_of_a_directory_gets_its_options(cli: Cli, script: Path) -> None:
    (script / "other.py").write_text("import os\nprint(os.environ['TASK'], os.environ['N'])")
    words = (
        "test",
        str(script),
        "--runtime",
        "python",
        "--entrypoint",
        "other.py",
        "--env",
        "TASK=t-1",
        "--param",
        "N=2",
    )
    ended = cli(*words)
    assert ended.code == 30
    assert "Cause\tno_verdict\n" in ended.out
    assert ended.out.endswith("--- stdout\nt-1 2\n")


@pytest.mark.engine
def test_test_of_a_job_uses_its_secret_and_masks_it(cli: Cli, make_job: MakeJob) -> None:
    tell = "import os\nprint(len(os.environ['KEY']), os.environ['KEY'])"
    job = make_job(script=tell, env_vars={"KEY": "secret_ref:api"})
    secret = make_secret("api", "canary-canary")
    SecretGrant.objects.create(secret=secret, job_kind=job.kind, job_id=job.pk)
    assert cli("test", "nightly", "--json").json["script_output"]["stdout"] == "13 ***\n"
    assert SecretUse.objects.get().job_id == job.pk


@pytest.mark.engine
def test_test_changes_nothing(cli: Cli, make_job: MakeJob) -> None:
    make_job(state={"checks": 1})
    before = everything()
    assert cli("test", "nightly").code == 10
    assert everything() == before


def everything() -> dict[str, list[Any]]:
    """Every row of the product's own tables."""
    models = [
        model for app in ("customchecks", "polling", "secrets_app") for model in apps.get_app_config(app).get_models()
    ]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_test_without_an_engine_says_so(cli: Cli, script: Path) -> None:
    ended = cli("test", str(script), "--runtime", "python", "--json", **NO_ENGINE)
    assert (ended.code, ended.json["cause"]) == (5, "engine_unavailable")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["./absent", "--runtime", "python"], 3, "There is no directory or file absent."),
        (["absent"], 3, "There is no job 'absent'."),
        (["nightly", "--env", "A=b"], 2, "A job is tested as it is stored"),
        (["nightly", "--timeout", "20"], 2, "A job is tested as it is stored"),
        (["SCRIPT"], 4, "script_runtime (--runtime)"),
        (["SCRIPT", "--runtime", "node"], 4, "has no file 'index.js'"),
        (["SCRIPT", "--runtime", "python", "--env", "K=secret_ref:api"], 4, "give the value itself"),
        (["SCRIPT", "--runtime", "python", "--timeout", "1"], 4, "timeout_seconds (--timeout)"),
    ],
)
def test_test_refuses_what_cannot_run(
    words: list[str], code: int, message: str, here: Here, make_job: MakeJob, script: Path
) -> None:
    make_job()
    ended = here("test", *[str(script) if word == "SCRIPT" else word for word in words])
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not CustomCheckLog.objects.exists()
