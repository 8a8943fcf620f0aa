"""The command line as users meet it: a process of its own, on the database that the test fills and reads."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from customchecks.cli import main
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from tests.factories import PRINT_PENDING


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """``env`` is added to the environment of every process."""

    env: dict[str, str] = field(repr=False)

    def __call__(self, *words: str, stdin: str = "", **env: str) -> Ended:
        done = subprocess.run(
            self.argv(words), input=stdin, env=self.env | env, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.argv(words), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def argv(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, str(settings.BASE_DIR / "manage.py"), "customcheck", *words]


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("boss")


@pytest.fixture
def cli(processes: None, boss: User) -> Cli:
    test_database = connection.settings_dict
    url = f"sqlite:///{test_database['NAME']}"
    if connection.vendor != "sqlite":
        user, password = test_database["USER"], test_database["PASSWORD"]
        url = f"postgres://{user}:{password}@{test_database['HOST']}:{test_database['PORT']}/{test_database['NAME']}"
    return Cli(os.environ | {"DATABASE_URL": url, "PYTHONUNBUFFERED": "1"})


@pytest.fixture
def here(boss: User, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """The same in this process, twenty times as fast: for what is decided before anything else happens."""

    def run(*words: str) -> Ended:
        return Ended(main.run(words, program="manage.py customcheck"), *capsys.readouterr())

    return run


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A directory whose main.py answers PENDING."""
    folder = tmp_path / "checker"
    folder.mkdir()
    (folder / "main.py").write_text(PRINT_PENDING)
    return folder


def answer(job: CustomCheckJob, verdict: Verdict, **columns: Any) -> CustomCheckLog:
    """One check of a due job, as the sweep records it."""
    now = timezone.now()
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
    assert claim.job_id == job.pk
    claims.record(claim, CheckResult(verdict=verdict, **columns), now=now)
    return job.logs.latest("id")


@pytest.fixture
def following(cli: Cli) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Processes that are ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        started.append(cli.start(*words))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
