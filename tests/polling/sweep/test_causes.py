"""What is ours is never filed as the script's."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError

from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from polling.base import disk_space
from polling.base.results import Cause
from polling.jobs.runners import Fault
from polling.sweep.recording import crashed


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError("connection failed"), Cause.DATABASE_UNAVAILABLE),
        (InterfaceError("connection already closed"), Cause.DATABASE_UNAVAILABLE),
        (OSError(errno.ENOSPC, "No space left on device"), Cause.DISK_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Cause.DISK_FULL),
        (RuntimeError("write /var/lib/docker/x: no space left on device"), Cause.DISK_FULL),
        (IntegrityError("doubled"), Cause.RUNNER_LOST),
        (RuntimeError("a fault in the code"), Cause.RUNNER_LOST),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else type(value).__name__,
)
def test_what_breaks_a_check_off_is_named_and_tells_nothing_of_the_script(error: Exception, cause: Cause) -> None:
    result = crashed(error)
    assert result.cause is cause
    assert "TeckoChecker" in result.message or "database" in result.message


def test_only_what_can_be_nobody_elses_fault_does_not_count() -> None:
    ours = {cause.value for cause in Cause if cause.ours}
    assert ours == {
        *("image_missing", "engine_unavailable", "network_unprotected"),
        *("keys_wrong", "database_unavailable", "disk_full"),
    }


@pytest.fixture
def sandbox_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    sandbox = Sandbox(instance="0" * 10, engine=Engine(timeout=2))
    yield sandbox
    sandbox.close()


def test_a_sweep_reports_an_engine_that_does_not_answer(sandbox_without_an_engine: Sandbox) -> None:
    assert sandbox_without_an_engine.condition().faults == (Fault("engine", "The Docker Engine does not answer."),)


def test_a_place_that_cannot_be_seen_is_not_low(tmp_path: Path) -> None:
    assert not disk_space.is_low([tmp_path / "nowhere"], floor_mb=10**9)
    assert disk_space.is_low([tmp_path], floor_mb=10**9)
    assert not disk_space.is_low([tmp_path], floor_mb=0)
