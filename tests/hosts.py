"""Hosts of one installation: each with a home of its own and a real cluster, all on one database.

They know scripted jobs, so that no engine is needed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from teckochecker.setup import home

BASE_DIR = Path(__file__).resolve().parent.parent


@dataclass
class Host:
    home: Path
    database_url: str
    variables: dict[str, str] = field(default_factory=dict)
    cluster: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        home.ensure(self.home, {})

    @property
    def environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TECKO_", "PROMETHEUS"))}
        own = {"TECKO_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        return inherited | own | {"DATABASE_URL": self.database_url} | self.variables

    def run(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """``manage.py`` with these words."""
        return subprocess.run(
            [sys.executable, BASE_DIR / "manage.py", *words],
            env=self.environ, cwd=BASE_DIR, input=stdin, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def manage(self, *words: str, stdin: str | None = None) -> str:
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def prepare(self) -> None:
        self.manage("migrate", "--run-syncdb", "-v", "0")

    def shell(self, code: str) -> str:
        """What the code prints, with a scripted job's model and the time at hand."""
        imports = "from django.utils import timezone\nfrom tests.kinds.models import *\n"
        return self.manage("shell", "--no-imports", "-c", imports + code).strip()

    def new_jobs(self, count: int, **columns: Any) -> None:
        columns = {"name": "job", "answers": ["SUCCESS"], "poll_interval_seconds": 3600} | columns
        self.shell(f"for _ in range({count}): ScriptedJob.objects.create(next_check_at=timezone.now(), **{columns!r})")

    def start(self, *words: str) -> None:
        with (self.home / "cluster.log").open("ab") as log:
            self.cluster = subprocess.Popen(
                [sys.executable, BASE_DIR / "manage.py", "qcluster", *words],
                env=self.environ, cwd=BASE_DIR, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        if self.cluster is None or self.cluster.poll() is not None:
            return
        self.cluster.send_signal(signal.SIGTERM)
        try:
            self.cluster.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.cluster.pid, signal.SIGKILL)
            self.cluster.wait()

    def log(self) -> str:
        return (self.home / "cluster.log").read_text()


@contextlib.contextmanager
def host(folder: Path, database_url: str, **variables: str) -> Iterator[Host]:
    """Its cluster is to be started; it ends with the block."""
    found = Host(folder, database_url, variables)
    try:
        yield found
    finally:
        found.stop()


def rows(database_url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> float:
    """Returns how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what} did not come in {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began
