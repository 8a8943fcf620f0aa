"""Scripts that mean harm: each ends with the right cause and takes nothing with it."""

from dataclasses import replace

import pytest

from customchecks.engine import Engine
from customchecks.sandbox import Sandbox, SandboxOutcome
from polling.results import Cause
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
}
SECONDS = {"fork_bomb": 5, "deaf": 5}


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
    code = "print('A' * 65536 + 'B' * 1_000_000 + 'C' * 65535)"
    outcome = sandbox.run(boxes.request(code))
    assert (outcome.cause, outcome.stdout_head_len, outcome.stdout_cut) == (None, 65536, 1_000_000)
    assert outcome.stdout == b"A" * 65536 + b"C" * 65535 + b"\n"


def test_a_hostile_archive_does_not_leave_the_work_folder(sandbox: Sandbox) -> None:
    archive = boxes.tgz({"main.py": "print('ran')", "../../run/tecko/evil": "x"})
    outcome = sandbox.run(replace(boxes.request(""), archive=archive))
    assert (outcome.cause, outcome.stdout) == (Cause.SOURCE_FAILED, b"")


def test_a_program_that_does_not_exist_is_named(sandbox: Sandbox) -> None:
    outcome = sandbox.run(replace(boxes.request(""), argv=("nonesuch",)))
    assert outcome.cause is Cause.SOURCE_FAILED
    assert "nonesuch" in outcome.message


def test_the_worker_holds_little_of_an_endless_output(sandbox: Sandbox) -> None:
    outcome = _run("stdout", sandbox)
    assert len(outcome.stdout) == 2 * 65536
    assert outcome.stdout_cut > 8_000_000


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
