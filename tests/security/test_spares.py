"""Containers that wait for a check: who takes them, once, and what is left when nobody does."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from customchecks.docker.engine import Engine
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.sandbox import CLOSE_SECONDS, Sandbox
from polling.base.results import Cause
from tests import instances
from tests.security import boxes
from tests.security.relay import Relay

pytestmark = pytest.mark.engine

SLEEP = "import time; time.sleep(300)"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def made() -> Iterator[tuple[str, Sandbox]]:
    instance, sandbox = boxes.instance_sandbox(spares=2)
    yield instance, sandbox
    sandbox.dismantle()
    sandbox.close()


def warm(sandbox: Sandbox, **values: object) -> None:
    """Twice within a minute: then one waits."""
    for _ in range(2):
        assert sandbox.run(boxes.request("print('here')", **values)).stdout == b"here\n"
    assert sandbox.settle(seconds=10)


def waiting(engine: Engine, instance: str) -> list[str]:
    return [one["Id"] for one in boxes.containers(engine, instance, purpose="spare") if one["State"] == "running"]


def processes(container: str) -> list[str]:
    """Their command lines."""
    words = ["docker", "top", container, "-eo", "pid,args"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()[1:]


def test_the_setting_says_how_many_wait(engine: Engine, settings: Any) -> None:
    for number in (0, 1):
        settings.TECKO_INSTANCE, settings.TECKO_SPARE_CONTAINERS = instances.new(), number
        sandbox = Sandbox.from_settings()
        for memory in (64, 128):
            warm(sandbox, memory_mb=memory)
        assert len(waiting(engine, settings.TECKO_INSTANCE)) == number
        sandbox.dismantle()
        sandbox.close()


def test_the_first_check_of_a_kind_leaves_nothing_behind(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    sandbox.run(boxes.request("print('here')"))
    assert sandbox.settle(seconds=10)
    assert boxes.containers(engine, instance) == []


def test_a_spare_serves_one_check_and_another_takes_its_place(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    (first,) = waiting(engine, instance)
    leave_a_mark = "open('/work/mark', 'w').write('x'); open('/tmp/mark', 'w').write('x'); print('done')"
    outcome = sandbox.run(boxes.request(leave_a_mark))
    assert (outcome.stdout, "create" in outcome.timings) == (b"done\n", False)
    assert sandbox.settle(seconds=10)
    (second,) = waiting(engine, instance)
    assert second != first
    assert [one["Id"] for one in boxes.containers(engine, instance)] == [second]
    look = "import os; print(os.listdir('/work'), os.listdir('/tmp'))"
    assert sandbox.run(boxes.request(look)).stdout == b"['main.py'] []\n"


def test_nothing_of_a_check_is_in_what_waits(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    for _ in range(2):
        sandbox.run(boxes.request("print('here')", env={"TOKEN": "s3cret-in-a-spare"}))
    assert sandbox.settle(seconds=10)
    (waits,) = waiting(engine, instance)
    seen = engine.inspect(waits)
    assert "s3cret-in-a-spare" not in str(seen)
    (process,) = processes(waits)
    assert "from launcher.main import main" in process


def test_a_check_of_another_kind_does_not_take_it(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    kept = waiting(engine, instance)
    assert len(kept) == 1
    for other in ({"memory_mb": 256}, {"cpu_cores": 1.0}, {"network": "none"}, {"runtime": "node"}):
        code = "console.log(1)" if other.get("runtime") == "node" else "print(1)"
        assert "create" in sandbox.run(boxes.request(code, **other)).timings, other
    assert waiting(engine, instance) == kept


def test_more_than_its_number_never_wait(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    for memory in (64, 128, 256):
        warm(sandbox, memory_mb=memory)
    assert len(waiting(engine, instance)) == 2


def test_many_checks_at_once_each_have_a_container_of_their_own(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    warm(sandbox)
    outcomes: list[SandboxOutcome] = []
    code = "import os, time; print(os.listdir('/work'), flush=True); time.sleep(3)"
    wanted = [boxes.request(code) for _ in range(6)]
    threads = [threading.Thread(target=lambda one=one: outcomes.append(sandbox.run(one))) for one in wanted]
    for thread in threads:
        thread.start()
    boxes.wait_for(lambda: len(_running(engine, instance)) >= 6)
    for thread in threads:
        thread.join(60)
    assert [outcome.stdout for outcome in outcomes] == [b"['main.py']\n"] * 6
    assert sum("spare" in outcome.timings for outcome in outcomes) == 1


def test_a_spare_that_has_ended_is_not_taken(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    (dead,) = waiting(engine, instance)
    engine.kill(dead)
    outcome = boxes.wait_for(lambda: sandbox.run(boxes.request("print('here')")))
    assert (outcome.stdout, outcome.cause, "create" in outcome.timings) == (b"here\n", None, True)


def test_kill_ends_a_check_on_a_spare(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    outcomes = []
    wanted = boxes.request(SLEEP)
    thread = threading.Thread(target=lambda: outcomes.append(sandbox.run(wanted)))
    thread.start()
    (container,) = waiting(engine, instance)
    boxes.wait_for(lambda: len(processes(container)) == 2)
    sandbox.kill(wanted.claim_id)
    thread.join(10)
    assert [(outcome.cause, "spare" in outcome.timings) for outcome in outcomes] == [(Cause.RUNNER_LOST, True)]
    assert boxes.containers(engine, instance) == []


def test_another_process_leaves_a_spare_alone_while_it_runs(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    now, (kept,) = datetime.now(UTC), waiting(engine, instance)
    successor = Sandbox(instance=instance)
    assert successor.reap([], now=now) == sandbox.reap([], now=now) == 0
    assert waiting(engine, instance) == [kept]
    assert successor.reap([], now=now + timedelta(days=1)) == 1
    successor.close()


def test_nobody_waits_for_ever(engine: Engine) -> None:
    instance, sandbox = boxes.instance_sandbox(spares=2, spare_seconds=5)
    warm(sandbox)
    assert len(waiting(engine, instance)) == 1
    time.sleep(5)
    sandbox.reap([], now=datetime.now(UTC))
    assert sandbox.settle(seconds=5)
    assert boxes.containers(engine, instance) == []
    sandbox.dismantle()
    sandbox.close()


def test_closing_ends_what_waits(engine: Engine) -> None:
    instance, sandbox = boxes.instance_sandbox(spares=2)
    warm(sandbox)
    assert len(waiting(engine, instance)) == 1
    sandbox.close()
    assert boxes.containers(engine, instance) == []
    sandbox.dismantle()
    sandbox.close()


def test_a_check_that_is_due_is_started_before_a_spare(sandbox: Sandbox, engine: Engine, instance: str) -> None:
    warm(sandbox)
    with contextlib.ExitStack() as stack:
        while sandbox._starts.places.acquire(blocking=False):  # as many checks start as can
            stack.callback(sandbox._starts.places.release)
        assert "spare" in sandbox.run(boxes.request("print('here')")).timings
        assert sandbox.settle(seconds=10)
        assert boxes.containers(engine, instance) == []


def test_who_writes_to_a_volume_neither_takes_a_spare_nor_leaves_one(
    sandbox: Sandbox, engine: Engine, instance: str
) -> None:
    volume = f"teckochecker-{instance}-volume"
    sandbox.volumes.create(volume)
    for _ in range(3):
        wanted = boxes.request("print('here')", volumes=((volume, "/deps", True),), purpose="install")
        assert "create" in sandbox.run(wanted).timings
        assert boxes.containers(engine, instance) == []
    assert sandbox.volumes.remove(volume)


def test_a_volume_that_a_spare_holds_is_known_to_be_there(sandbox: Sandbox, instance: str) -> None:
    volume = f"teckochecker-{instance}-volume"
    sandbox.volumes.create(volume)
    warm(sandbox, volumes=((volume, "/deps", False),))
    assert not sandbox.volumes.remove(volume)
    assert sandbox._spares.mount(volume)
    sandbox.close()
    assert not sandbox._spares.mount(volume)
    assert sandbox.volumes.remove(volume)


@pytest.mark.parametrize("used", [False, True])
def test_the_spares_of_a_killed_worker_end_and_are_removed(engine: Engine, used: bool) -> None:
    instance = instances.new()
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    code = f"""
import time
import django
django.setup()
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes
sandbox = Sandbox(instance={instance!r}, spares=2)
for _ in range(2):
    sandbox.run(boxes.request("print('here')"))
sandbox.settle(seconds=20)
if {used}:
    sandbox.run(boxes.request("import time; time.sleep(300)"))
time.sleep(300)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environ) as process:
        least = 2 if used else 1
        boxes.wait_for(lambda: [one for one in waiting(engine, instance) if len(processes(one)) == least], seconds=60)
        process.send_signal(signal.SIGKILL)
        boxes.wait_for(lambda: not waiting(engine, instance), seconds=2)
    successor = Sandbox(instance=instance)
    boxes.wait_for(lambda: successor.reap([], now=datetime.now(UTC)) or not boxes.containers(engine, instance))
    assert boxes.containers(engine, instance) == []
    successor.dismantle()
    successor.close()


@pytest.mark.parametrize("call", ["/containers/create", "/start"])
def test_a_stopped_process_leaves_no_spare_on_a_slow_engine(engine: Engine, tmp_path: Path, call: str) -> None:
    """It stops while the engine takes longer over a start than the process may wait for it."""
    instance, relay = instances.new(), Relay(tmp_path / "engine.sock")
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    environ["DOCKER_HOST"] = relay.url
    code = f"""
import os, sys, time
import django
django.setup()
from customchecks.sandbox.sandbox import Sandbox
from tests.security import boxes
sandbox = Sandbox(instance={instance!r}, spares=2)
sandbox.run(boxes.request("print('here')"))
print("now", flush=True)
input()
sandbox.run(boxes.request("print('here')", memory_mb=512))
sandbox.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        boxes.wait_for(lambda: "now" in str(process.stdout and process.stdout.readline()), seconds=60)
        relay.delays[call.encode()] = CLOSE_SECONDS + 3
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(60) == 0
    assert boxes.containers(engine, instance) == []
    time.sleep(3)  # nor does one come later
    assert boxes.containers(engine, instance) == []
    relay.cut()
    instances.dismantle(instance)


def _running(engine: Engine, instance: str) -> set[str]:
    return {one["Id"] for one in boxes.containers(engine, instance) if one["State"] == "running"}
