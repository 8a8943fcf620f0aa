"""Run by test_signals in a pytest of its own; the name keeps it out of the suite."""

import signal
import subprocess
import sys

import pytest

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_child_ends(number: signal.Signals) -> None:
    argv = [sys.executable, "-c", SLEEPER]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(number)
        try:
            assert child.wait(5) != 0
        finally:
            child.kill()
