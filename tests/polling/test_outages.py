"""A real cluster whose database goes away and comes back: answers wait for it, and nothing is lost or doubled."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests import postgresql, tmpfs
from tests.hosts import Host, host, rows, wait_for

AWAY_SECONDS = 12
CHECK_SECONDS = 5
BACK_SECONDS = 6  # a sweep tries twice a second


class Watched:
    """A cluster at work: a job whose check is running, and one that is asked again and again."""

    def __init__(self, at: Host, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
        self.host = at
        self._ask = ask

    def one(self, sql: str) -> Any:
        return self._ask(sql)[0][0]

    def begin(self) -> None:
        self.host.prepare()
        self.host.new_jobs(1, name="slow", seconds=CHECK_SECONDS)
        self.host.new_jobs(1, name="often", answers=["PENDING"], poll_interval_seconds=10)
        self.host.start()
        running = "SELECT count(*) FROM kinds_scriptedjob WHERE name = 'slow' AND claim_id IS NOT NULL"
        wait_for(lambda: self.one(running), seconds=60, what="the slow check")

    def sweeps(self) -> str:
        return str(self.one("SELECT sweep_id FROM sweep_leases"))

    def answers(self, job: str) -> int:
        return int(
            self.one(
                "SELECT count(*) FROM kinds_scriptedlog log JOIN kinds_scriptedjob job ON job.id = log.job_id "
                f"WHERE job.name = '{job}' AND log.verdict IN ('SUCCESS', 'PENDING')"
            )
        )

    def goes_on(self, *, sweep: str, answered: int) -> None:
        wait_for(lambda: self.answers("slow"), seconds=BACK_SECONDS, what="the answer that waited")
        wait_for(lambda: self.answers("often") > answered, seconds=BACK_SECONDS + 10, what="the next check")
        assert self.sweeps() == sweep
        assert self.answers("slow") == 1
        assert self.one("SELECT count(*) FROM kinds_scriptedlog WHERE verdict = 'ERROR'") == 0
        assert self.one("SELECT count(*) FROM deliveries") == 1
        assert "check_not_recorded" not in self.host.log()

    @contextlib.contextmanager
    def tells_once(self) -> Iterator[None]:
        """Of the outage that lasts as long as the block: a busy machine may make a short one of its own later."""
        told = self.host.log().count("database_lost")
        yield
        assert self.host.log().count("database_lost") - told == 1


@contextlib.contextmanager
def watched(home: Path, url: str, ask: Callable[[str], list[tuple[Any, ...]]], **variables: str) -> Iterator[Watched]:
    with host(home, url, **variables) as at:
        cluster = Watched(at, ask)
        cluster.begin()
        yield cluster


def test_a_sweep_outlasts_a_postgresql_that_is_stopped(
    tmp_path: Path, postgresql_server: postgresql.Server, postgresql_url: str
) -> None:
    with watched(tmp_path, postgresql_url, lambda sql: rows(postgresql_url, sql)) as cluster:
        sweep, answered = cluster.sweeps(), cluster.answers("often")
        postgresql_server.stop(mode="immediate")
        try:
            with cluster.tells_once():
                time.sleep(AWAY_SECONDS)
        finally:
            postgresql_server.start()
        cluster.goes_on(sweep=sweep, answered=answered)


def reader(file: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(file, timeout=10)) as database:
            return database.execute(sql).fetchall()

    return ask


@pytest.mark.usefixtures("processes")
def test_a_sweep_outlasts_a_file_that_another_process_holds(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    with watched(tmp_path / "home", f"sqlite:///{file}?timeout=1", reader(file)) as cluster:
        sweep, answered = cluster.sweeps(), cluster.answers("often")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            with cluster.tells_once():
                time.sleep(AWAY_SECONDS)
        cluster.goes_on(sweep=sweep, answered=answered)


@pytest.mark.usefixtures("processes")
def test_a_sweep_outlasts_a_disk_that_is_full(tmp_path: Path) -> None:
    with tmpfs.mounted(tmp_path / "small", megabytes=8) as small:
        file = small / "db.sqlite3"
        with watched(tmp_path / "home", f"sqlite:///{file}", reader(file), TECKO_MIN_FREE_MB="0") as cluster:
            sweep, answered = cluster.sweeps(), cluster.answers("often")
            tmpfs.fill(small)
            with cluster.tells_once():
                time.sleep(AWAY_SECONDS)
            tmpfs.empty(small)
            cluster.goes_on(sweep=sweep, answered=answered)


@pytest.mark.usefixtures("processes")
def test_no_check_starts_while_the_disk_is_nearly_full_and_they_go_on_by_themselves(tmp_path: Path) -> None:
    with tmpfs.mounted(tmp_path / "small", megabytes=12) as small:
        file = small / "db.sqlite3"
        ask = reader(file)
        with host(tmp_path / "home", f"sqlite:///{file}", TECKO_MIN_FREE_MB="4") as at:
            at.prepare()
            at.start()
            wait_for(lambda: ask("SELECT 1 FROM sweep_leases WHERE report LIKE '%faults%'"), seconds=60, what="a sweep")
            tmpfs.fill(small, leave=3 * 1024**2)
            paused = "SELECT 1 FROM sweep_leases WHERE report LIKE '%nearly full%'"
            wait_for(lambda: ask(paused), seconds=10, what="the pause")
            at.new_jobs(2)
            time.sleep(3)
            assert ask("SELECT count(*) FROM kinds_scriptedjob WHERE claim_id IS NOT NULL OR check_count > 0") == [(0,)]
            tmpfs.empty(small)
            ended = "SELECT count(*) FROM kinds_scriptedjob WHERE status = 'completed'"
            wait_for(lambda: ask(ended) == [(2,)], seconds=15, what="the checks")
            assert not ask(paused)
    assert (at.log().count("checks_paused"), at.log().count("checks_resumed")) == (1, 1)


def test_what_a_receiver_answered_waits_for_the_database_and_it_is_not_called_again(
    tmp_path: Path, postgresql_server: postgresql.Server, postgresql_url: str, httpserver: HTTPServer
) -> None:
    def answer(_: Request) -> Response:
        postgresql_server.stop(mode="immediate")
        return Response(status=200)

    httpserver.expect_request("/hook").respond_with_handler(answer)
    with host(tmp_path, postgresql_url, TECKO_WEBHOOK_ALLOW="127.0.0.1") as at:
        at.prepare()
        at.start()
        at.shell(
            "from tests.polling.sending.couriers import owe\n"
            f"owe({httpserver.url_for('/hook')!r}, job=ScriptedJob.objects.create(name='job'))"
        )
        try:
            wait_for(lambda: httpserver.log, seconds=30, what="the call")
            time.sleep(AWAY_SECONDS)
        finally:
            postgresql_server.ensure()
        told = "SELECT count(*) FROM deliveries WHERE status = 'delivered' AND attempts = 1"
        wait_for(lambda: rows(postgresql_url, told) == [(1,)], seconds=BACK_SECONDS, what="the outcome")
    assert len(httpserver.log) == 1
