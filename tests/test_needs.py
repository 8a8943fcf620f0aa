"""``--fast`` leaves out what needs an engine, a browser or other processes, and a new test cannot hide that it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

pytestmark = pytest.mark.usefixtures("processes")


def probe(*options: str) -> str:
    file = Path(__file__).with_name("probe_needs.py")
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(file)]
    return subprocess.run(argv, cwd=file.parents[1], capture_output=True, text=True).stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_fast_leaves_out_what_is_slow_and_counts_it(workers: str) -> None:
    output = probe("--fast", "-k", "not does_not_say", "-n", workers)
    assert "Tests that --fast left out: 3 (1 that need browser, 1 that need engine, 1 that need processes)" in output
    assert "1 passed" in output


def test_a_test_that_starts_python_has_to_say_so() -> None:
    output = probe("-k", "other_processes")
    assert "1 failed, 1 passed" in output
    assert needs.REMEDY in output
