"""Scripts that mean harm: each ends with the right cause and takes nothing with it."""

import json
from dataclasses import replace

import pytest

from customchecks.docker.engine import Engine
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from tests.factories import tgz
from tests.security import boxes

pytestmark = pytest.mark.engine

CAUSES = {
    "fork_bomb": Cause.TIMEOUT,
    "memory": Cause.OOM,
    "disk": Cause.NO_VERDICT,
    "inodes": Cause.NO_VERDICT,
    "stdout": Cause.OUTPUT_TRUNCATED,
    "stderr": Cause.OUTPUT_TRUNCATED,
    "deaf": Cause.TIMEOUT,
    "regicide": Cause.NO_VERDICT,
    "oom_child": Cause.OOM,
    "silent": Cause.NO_VERDICT,
    "forger": Cause.NO_VERDICT,
    "limiter": Cause.NO_VERDICT,
    "herald": Cause.TIMEOUT,
    "usurper": Cause.OOM,
}
SECONDS = {"fork_bomb": 5, "deaf": 5, "herald": 5}


@pytest.mark.parametrize("script", CAUSES)
def test_a_hostile_script_ends_with_its_cause(script: str, sandbox: Sandbox, engine: Engine, instance: str) -> None:
    outcome = _run(script, sandbox)
    assert boxes.cause_of(outcome) is CAUSES[script], outcome
    assert sandbox.settle(seconds=2)
    assert boxes.containers(engine, instance) == []
    assert sandbox.run(boxes.request("print('well')")).stdout == b"well\n"


def test_every_place_that_can_be_written_is_small(sandbox: Sandbox) -> None:
    full = dict(line.split(" ", 1) for line in _run("disk", sandbox).stdout.decode().splitlines())
    assert full == {"/work": "ENOSPC 268", "/tmp": "ENOSPC 134", "/dev/shm": "ENOSPC 8", "/run/tecko": "ENOSPC 4"}


def test_inodes_run_out(sandbox: Sandbox) -> None:
    reason, made = _run("inodes", sandbox).stdout.split()
    assert reason == b"ENOSPC"
    assert int(made) < 20_000


def test_no_signal_reaches_the_launcher_and_no_file_of_its_opens(sandbox: Sandbox) -> None:
    assert _run("regicide", sandbox).stdout == b"the launcher is 1\n"


def test_no_call_that_takes_the_number_of_a_process_changes_the_launcher(sandbox: Sandbox) -> None:
    for target, found in json.loads(_run("limiter", sandbox).stdout).items():
        assert {name for name, answer in found.items() if answer == "allowed"} == set(), target


def test_a_script_sets_limits_and_priorities_of_its_own_processes(sandbox: Sandbox) -> None:
    code = """
import os, resource, subprocess
child = subprocess.Popen(["sleep", "60"])
for pid in (0, os.getpid(), child.pid):
    resource.prlimit(pid, resource.RLIMIT_CPU, (50, 60))
    os.setpriority(os.PRIO_PROCESS, pid, 5)
    os.sched_setaffinity(pid, os.sched_getaffinity(pid))
    os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
os.setpriority(os.PRIO_PGRP, 0, 6)
child.kill()
print(os.nice(0), resource.prlimit(os.getpid(), resource.RLIMIT_CPU))
"""
    assert sandbox.run(boxes.request(code)).stdout == b"6 (50, 60)\n"


def test_a_node_script_sets_its_own_priority(sandbox: Sandbox) -> None:
    code = """
const os = require("node:os");
os.setPriority(5);
os.setPriority(process.pid, 6);
console.log(os.getPriority());
"""
    assert sandbox.run(boxes.request(code, runtime="node")).stdout == b"6\n"


def test_a_deaf_script_is_gone_within_five_seconds_of_its_deadline(sandbox: Sandbox) -> None:
    outcome = _run("deaf", sandbox)
    assert outcome.timings["answer"] < (SECONDS["deaf"] + 5) * 1000
    assert outcome.stdout == b'{"status": "SUCCESS"}\n'


def test_daemons_left_behind_do_not_delay_the_answer(sandbox: Sandbox) -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\nprint('done')"
    outcome = sandbox.run(boxes.request(code))
    assert outcome.stdout == b"done\n"
    assert outcome.timings["script"] < 10_000


def test_orphans_do_not_use_up_the_processes(sandbox: Sandbox) -> None:
    code = """
import os
for _ in range(300):
    if (child := os.fork()) == 0:
        os.fork()
        os._exit(0)
    os.waitpid(child, 0)
print("done")
"""
    assert sandbox.run(boxes.request(code)).stdout == b"done\n"


def test_long_output_keeps_its_head_and_tail(sandbox: Sandbox) -> None:
    code = """
import sys
print('A' * 65536 + 'B' * 1_000_000 + 'C' * 524_287)
print('A' * 65536 + 'B' * 1_000_000 + 'C' * 65535, file=sys.stderr)
"""
    outcome = sandbox.run(boxes.request(code))
    assert (outcome.cause, outcome.stdout_head_len, outcome.stdout_cut) == (None, 65536, 1_000_000)
    assert outcome.stdout == b"A" * 65536 + b"C" * 524_287 + b"\n"
    assert (outcome.stderr_head_len, outcome.stderr_cut) == (65536, 1_000_000)
    assert outcome.stderr == b"A" * 65536 + b"C" * 65535 + b"\n"


def test_a_hostile_archive_does_not_leave_the_work_folder(sandbox: Sandbox) -> None:
    archive = tgz({"main.py": "print('ran')", "../../run/tecko/evil": "x"})
    outcome = sandbox.run(replace(boxes.request(""), archive=archive))
    assert (outcome.cause, outcome.stdout) == (Cause.SOURCE_FAILED, b"")


def test_a_program_that_does_not_exist_is_named(sandbox: Sandbox) -> None:
    outcome = sandbox.run(replace(boxes.request(""), argv=("nonesuch",)))
    assert outcome.cause is Cause.SOURCE_FAILED
    assert "nonesuch" in outcome.message


def test_the_worker_holds_little_of_an_endless_output(sandbox: Sandbox) -> None:
    outcome = _run("stdout", sandbox)
    assert len(outcome.stdout) == 65536 + 524_288
    assert outcome.stdout_cut > 7_500_000


def test_a_node_script_runs_under_the_same_rules(sandbox: Sandbox) -> None:
    code = "console.log(process.getuid(), process.cwd(), JSON.stringify(process.env.TOKEN))"
    outcome = sandbox.run(boxes.request(code, runtime="node", env={"TOKEN": "a\nb"}))
    assert outcome.stdout == b'1000 /work "a\\nb"\n', outcome


def test_a_node_script_that_floods_memory_is_an_oom(sandbox: Sandbox) -> None:
    code = "const held = []; while (true) held.push(Buffer.alloc(10_000_000, 1))"
    assert boxes.cause_of(sandbox.run(boxes.request(code, runtime="node"))) is Cause.OOM


def _run(script: str, sandbox: Sandbox) -> SandboxOutcome:
    code = (boxes.HERE / "hostile" / f"{script}.py").read_text()
    return sandbox.run(boxes.request(code, timeout_seconds=SECONDS.get(script, 60)))
