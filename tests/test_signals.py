"""A test run means the same whatever signals its shell ignores."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ground_rules.code import BASE_DIR

pytestmark = pytest.mark.usefixtures("processes")


def _ignore() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("before", [None, _ignore], ids=["usual", "ignored"])
def test_signals_reach_what_tests_start(before: Callable[[], None] | None) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__).with_name("probe_signals.py"))]
    done = subprocess.run(argv, cwd=BASE_DIR, env=inherited, capture_output=True, text=True, preexec_fn=before)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
