"""A real cluster in which nothing can run any more starts anew by itself, and a healthy one is left alone."""

import contextlib
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from polling.sweep import watchdog
from polling.sweep.models import QueueProof
from polling.sweep.watchdog import Watchdog
from tests.hosts import Host, host, wait_for

READ = "0"  # the number of the system call, on x86-64
EVERY, WITHIN = "1", "5"


@pytest.fixture
def cluster(processes: None, tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}") as at:
        at.prepare()
        at.start("--prove-every", EVERY, "--prove-within", WITHIN)
        wait_for(lambda: proved(at), seconds=60, what="the first proof")
        yield at


def ask(at: Host, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(at.home / "db.sqlite3", timeout=20)) as database:
        return database.execute(sql).fetchall()


def proved(at: Host) -> str:
    return next((str(at_time) for (at_time,) in ask(at, "SELECT proved_at FROM queue_proofs") if at_time), "")


def family(at: Host) -> list[psutil.Process]:
    assert at.cluster is not None
    return psutil.Process(at.cluster.pid).children(recursive=True)


def holder_of_the_lock(at: Host) -> psutil.Process:
    """Of the idle workers the one that waits for the pipe, and not for the lock."""
    idle = [process for process in family(at) if process.cmdline() and process.cmdline()[0].endswith(" idle")]
    (holder,) = [process for process in idle if Path(f"/proc/{process.pid}/syscall").read_text().split()[0] == READ]
    return holder


def test_a_cluster_whose_lock_died_with_an_idle_worker_starts_anew_and_runs_tasks(cluster: Host) -> None:
    before = family(cluster)
    again = proved(cluster)
    wait_for(lambda: proved(cluster) > again, seconds=20, what="the next proof")
    assert family(cluster) == before
    os.kill(holder_of_the_lock(cluster).pid, signal.SIGKILL)
    last = proved(cluster)
    cluster.new_jobs(1)
    wait_for(lambda: proved(cluster) > last and not any(map(alive, before)), seconds=60, what="a proof of the new one")
    wait_for(
        lambda: ask(cluster, "SELECT count(*) FROM kinds_scriptedjob WHERE status = 'completed'") == [(1,)],
        seconds=30,
        what="the job's end",
    )
    assert "queue_stuck" in cluster.log()
    cluster.stop()
    assert cluster.cluster is not None
    assert cluster.cluster.returncode == 0


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_together_the_times_leave_a_stuck_cluster_two_minutes_at_most() -> None:
    longest_sweep = 30 + 5
    assert watchdog.EVERY_SECONDS + watchdog.ALLOWED_SECONDS + longest_sweep <= 120


@pytest.mark.django_db
def test_a_task_that_is_not_done_in_time_is_told_and_was_asked_for_once() -> None:
    passed = [0.0]
    dog = Watchdog("test", every=30, allowed=20, steady=lambda: passed[0])
    told: list[bool] = []

    def look_at(second: float, look: Callable[[], bool] = dog.look) -> None:
        passed[0] = second
        told.append(look())

    for second in (29, 30, 49, 51):
        look_at(second)
    assert told == [True, True, True, False]
    assert QueueProof.objects.get(pk="test").proved_at is None
