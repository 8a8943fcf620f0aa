"""Removals behind a check's back, by an engine that does not answer."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from customchecks.docker.engine import Engine
from customchecks.sandbox.removals import Removals


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Engine]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/stuck.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/stuck.sock")
        listener.listen()
        engine = Engine(timeout=1)
        yield engine
        engine.close()


def test_an_engine_that_removes_nothing_keeps_nobody(stuck: Engine) -> None:
    removals, gone = Removals(stuck, at_once=1), threading.Event()
    began = time.monotonic()
    removals.later("first", then=gone.set)
    removals.later("second", patience=0.1)
    assert not removals.settle(end=time.monotonic() + 0.1)
    assert time.monotonic() - began < 1
    assert removals.pending == {"first"}
    assert removals.settle(end=time.monotonic() + 20)
    assert gone.is_set()
    assert removals.pending == set()
