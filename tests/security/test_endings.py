"""Who ends a run when its worker, its engine or its job has gone, and what is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from customchecks.docker import hardening
from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from tests import instances
from tests.security import boxes
from tests.security.relay import Relay

pytestmark = pytest.mark.engine

SLEEP = "import time; time.sleep(300)"
# The SDK leaves sockets that cannot connect to the garbage collector
leaky = pytest.mark.filterwarnings("ignore::ResourceWarning")
ROOT = boxes.HERE.parent.parent


@pytest.fixture
def worker() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    instance = instances.new()
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.security.crash_dummy", instance]
    with subprocess.Popen(command, cwd=ROOT, env=environ) as process:
        yield instance, process
        process.kill()
    left = Sandbox(instance=instance)
    left.dismantle()
    left.close()


def test_the_containers_of_a_killed_worker_are_gone_within_two_seconds(
    worker: tuple[str, subprocess.Popen[bytes]], engine: Engine
) -> None:
    instance, process = worker
    boxes.wait_for(lambda: _running(engine, instance) == 5, seconds=60)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    boxes.wait_for(lambda: _running(engine, instance) == 0, seconds=2)


def test_reap_removes_what_a_killed_worker_left(
    worker: tuple[str, subprocess.Popen[bytes]], engine: Engine, sandbox: Sandbox
) -> None:
    instance, process = worker
    boxes.wait_for(lambda: _running(engine, instance) == 5, seconds=60)
    process.kill()
    successor = Sandbox(instance=instance)
    assert sandbox.reap([], now=datetime.now(UTC)) == 0
    assert len(boxes.containers(engine, instance)) == 5
    assert successor.reap([], now=datetime.now(UTC)) == 5
    successor.close()
    assert boxes.containers(engine, instance) == []


def test_reap_leaves_live_claims_and_tests_until_their_deadline(
    engine: Engine, sandbox: Sandbox, instance: str
) -> None:
    reaper = Sandbox(instance=instance)
    now = datetime.now(UTC)
    for claim, purpose in (("live", "check"), ("lost", "check"), ("trial", "test")):
        _left_over(sandbox, engine, instance, claim=claim, purpose=purpose, deadline=now + timedelta(minutes=1))
    assert reaper.reap(["live"], now=now) == 1
    assert _claims(engine, instance) == {"live", "trial"}
    assert reaper.reap(["live"], now=now + timedelta(minutes=2)) == 2
    reaper.close()


def test_reap_leaves_the_runs_of_its_own_process(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    with boxes.running(sandbox, boxes.request(SLEEP), engine=engine, instance=instance):
        assert sandbox.reap([], now=datetime.now(UTC)) == 0


def test_kill_ends_a_run_and_says_so(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    with boxes.running(sandbox, boxes.request(SLEEP), engine=engine, instance=instance) as (_, outcomes):
        pass
    assert (outcomes[0].cause, outcomes[0].message) == (Cause.RUNNER_LOST, "The check was ended from outside.")
    assert boxes.containers(engine, instance) == []


def test_a_container_killed_from_outside_is_not_blamed_on_the_script(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    code = 'print(\'{"status": "SUCCESS"}\', flush=True)\n' + SLEEP
    with boxes.running(sandbox, boxes.request(code), engine=engine, instance=instance) as (seen, outcomes):
        engine.kill(seen["Id"])
        boxes.wait_for(lambda: outcomes)
    assert outcomes[0].cause is Cause.ENGINE_UNAVAILABLE
    assert "137" in outcomes[0].message


def test_a_container_that_somebody_removes_is_not_blamed_on_the_script(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    with boxes.running(sandbox, boxes.request(SLEEP), engine=engine, instance=instance) as (seen, outcomes):
        engine.remove(seen["Id"])
        boxes.wait_for(lambda: outcomes)
    assert outcomes[0].cause is Cause.ENGINE_UNAVAILABLE


def test_a_launcher_that_ends_without_the_engines_doing_is_laid_at_its_scripts_door(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    with boxes.running(sandbox, boxes.request(SLEEP), engine=engine, instance=instance) as (seen, outcomes):
        os.kill(seen["State"]["Pid"], signal.SIGKILL)  # as the kernel does, and no script can
        boxes.wait_for(lambda: outcomes)
    assert outcomes[0].cause is Cause.RUNNER_LOST
    assert not outcomes[0].cause.ours
    assert "the script ended it" in outcomes[0].message


def test_a_missing_image_is_named_with_its_remedy() -> None:
    sandbox = Sandbox(instance=instances.new(), find_image=lambda runtime: None)
    outcome = sandbox.run(replace(boxes.request("", network="none"), runtime="python-3.13"))
    sandbox.close()
    assert outcome.cause is Cause.IMAGE_MISSING
    assert outcome.message.endswith("manage.py customcheck build-images --runtime python-3.13")


def test_an_image_that_was_removed_meanwhile_is_missing_not_pulled() -> None:
    sandbox = Sandbox(instance=instances.new(), find_image=lambda runtime: f"sha256:{'0' * 64}")
    outcome = sandbox.run(boxes.request("", network="none"))
    sandbox.close()
    assert outcome.cause is Cause.IMAGE_MISSING


@leaky
def test_no_engine_is_a_cause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    sandbox = Sandbox(instance=instances.new())
    outcome = sandbox.run(boxes.request(""))
    assert (outcome.cause, sandbox.status().reachable) == (Cause.ENGINE_UNAVAILABLE, False)
    assert sandbox.reap([], now=datetime.now(UTC)) == 0
    sandbox.close()


def test_an_engine_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/hung.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/hung.sock")
        listener.listen()
        sandbox = Sandbox(instance=instances.new(), engine=Engine(timeout=1))
        assert sandbox.run(boxes.request("")).cause is Cause.ENGINE_UNAVAILABLE
        sandbox.close()


@leaky
def test_an_engine_that_goes_away_is_no_verdict_and_its_containers_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine
) -> None:
    relay = Relay(tmp_path / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", relay.url)
    instance, sandbox = boxes.instance_sandbox()
    code = 'print(\'{"status": "SUCCESS"}\', flush=True)\n' + SLEEP
    try:
        with boxes.running(sandbox, boxes.request(code), engine=engine, instance=instance) as (_, outcomes):
            relay.cut()
            boxes.wait_for(lambda: _running(engine, instance) == 0, seconds=2)
            assert boxes.wait_for(lambda: outcomes)[0].cause is Cause.ENGINE_UNAVAILABLE
    finally:
        sandbox.close()
    monkeypatch.undo()
    instances.dismantle(instance)


def _running(engine: Engine, instance: str) -> int:
    return sum(item["State"] == "running" for item in boxes.containers(engine, instance))


def _claims(engine: Engine, instance: str) -> set[str]:
    return {item["Labels"][hardening.CLAIM] for item in boxes.containers(engine, instance)}


def _left_over(
    sandbox: Sandbox, engine: Engine, instance: str, *, claim: str, purpose: str, deadline: datetime
) -> None:
    body = hardening.container(
        hardening.Spec(image=sandbox.status().images["python"], network="none", memory_mb=64, cpu_cores=0.5),
        labels=hardening.labels(
            instance=instance, claim=claim, purpose=purpose, deadline=str(int(deadline.timestamp()))
        ),
    )
    engine.create(body)
