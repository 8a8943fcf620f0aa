"""What a test needs beside this process, by which ``--fast`` chooses: an engine, a browser, other processes.

The first two are markers that a test carries. The third follows from its fixtures: those that start Python ask for
``processes``. A test that does so itself asks for it too, or fails with a word about it.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROCESSES = "processes"
SLOW = ("engine", "browser", PROCESSES)
REMEDY = (
    "starts Python, for which --fast is not to wait. Let the test, or the fixture that does so, ask for the fixture "
    f"“{PROCESSES}”."
)
_running: list[pytest.Item] = []


def mark(item: pytest.Item) -> None:
    if PROCESSES in getattr(item, "fixturenames", ()):
        item.add_marker(PROCESSES)


def slow(item: pytest.Item) -> str:
    """What ``--fast`` leaves the test out for, or nothing."""
    return next((name for name in SLOW if item.get_closest_marker(name)), "")


def leave_out(items: list[pytest.Item], config: pytest.Config) -> Counter[str]:
    """Takes the slow tests out of the list, and counts them by what they need."""
    left = [item for item in items if slow(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not slow(item)]
    return Counter(map(slow, left))


@contextmanager
def watching(item: pytest.Item) -> Iterator[None]:
    """Whatever this process starts meanwhile, it starts for the test."""
    _running.append(item)
    try:
        yield
    finally:
        _running.remove(item)


def _refuse_unmarked(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen" and _running and not slow(_running[-1]) and _is_python(arguments[1]):
        pytest.fail(f"{_running[-1].nodeid} {REMEDY}", pytrace=False)


def _is_python(argv: object) -> bool:
    words = [argv] if isinstance(argv, str | bytes | os.PathLike) else list(argv)  # type: ignore[call-overload]
    return os.fsdecode(words[0]) == sys.executable


sys.addaudithook(_refuse_unmarked)
