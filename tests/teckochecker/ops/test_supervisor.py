"""The real Supervisor over small real processes."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from teckochecker.ops.supervisor import Limits, Program, Supervisor

QUICK = Limits(stop=1, first_backoff=0.1, longest_backoff=0.4, silence=0.3, between_heartbeats=0.1)
SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def program(code: str, log: Path, *, heartbeat: Callable[[], float | None] | None = None) -> Program:
    return Program(name="child", argv=(sys.executable, "-u", "-c", code), log=log, heartbeat=heartbeat)


def eventually(condition: Callable[[], object], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def starts(log: Path) -> int:
    return log.read_text().count("up") if log.exists() else 0


def latest(log: Path) -> str:
    """What has been written since the log was put aside the last time."""
    with contextlib.suppress(FileNotFoundError):
        return log.read_text()
    return ""


def pids(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split() if word.isdigit()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    return False


@contextlib.contextmanager
def supervising(*programs: Program, said: list[str] | None = None) -> Iterator[Supervisor]:
    """The supervisor has the main thread, for its signals; the test has another one."""
    supervisor = Supervisor(programs, report=(said if said is not None else []).append, limits=QUICK)
    runner = threading.Thread(target=supervisor.tend_until_stopped)
    runner.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()
        runner.join(timeout=10)
        assert not runner.is_alive()


@pytest.fixture
def log(processes: None, tmp_path: Path) -> Path:
    return tmp_path / "child.log"


def test_a_child_that_dies_is_started_again(log: Path) -> None:
    with supervising(program("print('up')", log)):
        eventually(lambda: starts(log) >= 3)


def test_each_early_death_doubles_the_pause_up_to_the_longest(log: Path) -> None:
    said: list[str] = []
    with supervising(program("raise SystemExit(3)", log), said=said):
        eventually(lambda: len(said) >= 4)
    assert [line.split()[-2] for line in said[:4]] == ["0.1", "0.2", "0.4", "0.4"]
    assert "ended with code 3" in said[0]


def test_a_stop_ends_a_child_that_obeys_at_once(log: Path) -> None:
    with supervising(program(SLEEPER, log)):
        eventually(lambda: starts(log))
        began = time.monotonic()
    assert time.monotonic() - began < QUICK.stop


def test_a_stop_kills_a_child_that_ignores_it_after_the_limit(log: Path) -> None:
    with supervising(program(f"import os; print(os.getpid()); {DEAF}", log)):
        eventually(lambda: starts(log))
        began = time.monotonic()
    assert QUICK.stop <= time.monotonic() - began < QUICK.stop + 2
    assert not alive(pids(log)[0])


def test_a_second_stop_does_not_wait(log: Path) -> None:
    with supervising(program(DEAF, log)) as supervisor:
        eventually(lambda: starts(log))
        began = time.monotonic()
        supervisor.stop()
    assert time.monotonic() - began < QUICK.stop


def test_what_a_child_leaves_behind_in_its_session_is_killed(log: Path) -> None:
    grandchild = f"import os; os.fork() or (print(os.getpid()), exec({DEAF!r}))"
    with supervising(program(f"{grandchild}; import time; time.sleep(0.3)", log)):
        eventually(lambda: starts(log) >= 2)
    eventually(lambda: not any(alive(pid) for pid in pids(log)))


def test_only_the_main_process_of_a_child_is_told_to_stop(log: Path) -> None:
    fork = "import os, signal, sys, time; child = os.fork()\n"
    told = "signal.signal(15, lambda *_: (print('told', 'child' if not child else 'main'), sys.exit()))\n"
    wait = "print('up'); time.sleep(0.4 if not child else 60)"
    with supervising(program(fork + told + wait, log)):
        eventually(lambda: starts(log) >= 2)
    assert "told main" in log.read_text()
    assert "told child" not in log.read_text()


@pytest.mark.parametrize("age", [None, 999.0], ids=["never", "long ago"])
def test_a_child_without_a_sign_of_life_is_restarted(log: Path, age: float | None) -> None:
    with supervising(program(SLEEPER, log, heartbeat=lambda: age)):
        eventually(lambda: starts(log) >= 2)


def test_a_child_of_recent_heartbeat_is_left_alone(log: Path) -> None:
    with supervising(program(SLEEPER, log, heartbeat=lambda: 0.0)):
        eventually(lambda: starts(log))
        time.sleep(QUICK.silence * 3)
        assert starts(log) == 1


def test_logs_are_appended_to_and_private(log: Path) -> None:
    log.touch(0o600)
    log.write_text("before\n")
    with supervising(program(SLEEPER, log)):
        eventually(lambda: starts(log))
    assert log.read_text() == "before\nup\n"


def test_a_log_that_is_full_makes_room_and_keeps_its_lines_whole(log: Path) -> None:
    talk = "for n in range(300): os.write(1, b'%d:%s\\n' % (n, b'x' * 500))\nchild and os.wait() or os._exit(0)"
    argv = (sys.executable, "-c", f"import os; child = os.fork()\n{talk}\n{SLEEPER}")
    programs = [Program(name=name, argv=argv, log=log, log_bytes=30_000) for name in ("one", "two")]
    with supervising(*programs):
        eventually(lambda: "up" in latest(log), seconds=30)
    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == [log.name, *(f"{log.name}.{number}" for number in range(1, 6))]
    assert all(file.stat().st_size <= 30_000 for file in files)
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert {len(line.partition(":")[2]) for line in lines if line != "up"} == {500}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_supervisor_and_its_children(log: Path, number: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", MAIN, str(log)])
    eventually(lambda: log.exists() and starts(log))
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert not alive(pids(log)[0])


def test_children_end_when_the_supervisor_is_killed(log: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", MAIN, str(log)])
    eventually(lambda: log.exists() and starts(log))
    process.kill()
    process.wait()
    eventually(lambda: not alive(pids(log)[0]))


MAIN = f"""
import pathlib, sys
from teckochecker.ops.supervisor import Limits, Program, Supervisor
code = "import os; print(os.getpid()); {SLEEPER}"
program = Program(name="child", argv=(sys.executable, "-u", "-c", code), log=pathlib.Path(sys.argv[1]))
Supervisor([program], report=print, limits=Limits(stop=1)).run()
"""


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
