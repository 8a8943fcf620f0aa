"""A sweep of one kind of job on the test's own database, in threads or as a process that can be killed.

Run as a module it is that process: it sweeps until all jobs have ended, nothing is owed and all containers are gone, at
most a minute. Its argument is the kind.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import django

if __name__ == "__main__":
    django.setup()  # before the models are loaded

from django.conf import settings
from django.db import connection, connections

from customchecks.jobs.models import CustomCheckJob
from polling.jobs import registry
from polling.jobs.scheduling import JobStatus, ScheduledJob
from polling.outbox.deliveries import Delivery, DeliveryStatus
from polling.sweep.sweeper import Capacity, Sweeper

LONGEST_SECONDS = 60.0


def containers(instance: str) -> list[str]:
    """Ids in whatever state."""
    words = ["docker", "ps", "-aq", "--filter", f"label=teckochecker.instance={instance}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


@contextlib.contextmanager
def sweeping(kind: type[ScheduledJob] = CustomCheckJob) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_sweep, args=(kind, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)


def process(home: Path, kind: type[ScheduledJob] = CustomCheckJob, *, crash_at: str = "", **environ: str) -> int:
    """Returns the exit code. ``home`` is its TECKO_HOME, and so makes its instance's name."""
    env = os.environ | {
        "TECKO_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": _database_url(),
        "TECKO_WEBHOOK_ALLOW": "127.0.0.1",
        "TECKO_CRASH_AT": crash_at,
        **environ,
    }
    words = [sys.executable, "-m", "tests.acceptance.sweeping", kind.kind]
    return subprocess.run(words, env=env, cwd=Path(__file__).parents[2], timeout=120, check=False).returncode


def _database_url() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return f"postgres://{login}/{database['NAME']}"


def _sweep(kind: type[ScheduledJob], over: threading.Event) -> None:
    Sweeper(
        host="acceptance",
        kinds=[kind],
        capacity=Capacity(5, 4000),
        stopping=over.is_set,
        grace_seconds=5,
    ).run()
    connections.close_all()


def _done(kind: type[ScheduledJob]) -> bool:
    owed = Delivery.objects.filter(status=DeliveryStatus.PENDING).exists()
    waiting = owed or kind.objects.filter(status=JobStatus.ACTIVE).exists()
    return not waiting and (kind is not CustomCheckJob or not containers(settings.TECKO_INSTANCE))


if __name__ == "__main__":
    (swept,) = [kind for kind in registry.kinds() if kind.kind == sys.argv[1]]
    with sweeping(swept):
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end and not _done(swept):
            time.sleep(0.2)
