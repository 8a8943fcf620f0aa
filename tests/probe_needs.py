"""One test of each kind, run by test_needs.py in a process of its own."""

import subprocess
import sys

import pytest


def test_of_nothing_but_this_process() -> None:
    pass


@pytest.mark.engine
def test_of_the_engine() -> None:
    pass


@pytest.mark.browser
def test_of_the_browser() -> None:
    pass


@pytest.mark.usefixtures("processes")
def test_of_other_processes() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def test_of_other_processes_that_does_not_say_so() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
