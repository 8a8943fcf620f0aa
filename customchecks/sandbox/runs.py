"""One run of a sandbox on its way: what was asked, in which container, and how long each step took."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace

from customchecks.images import runtimes
from customchecks.sandbox import stream
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.request import SandboxRequest


class RunKilled(Exception):
    """Somebody asked for the end before the script had started."""


class Run:
    """One request with its stopwatch. ``key`` signs the launcher's answer; ``timings`` are milliseconds.

    ``unprotected`` says why it was ended where that was because the packet rules could not be set again.
    """

    def __init__(self, request: SandboxRequest) -> None:
        self.request = request
        self.key = secrets.token_bytes(32)
        self.killed = False
        self.unprotected = ""
        self.answered = False
        self.container = ""
        self.timings: dict[str, int] = {}
        self._began = self._lap = time.monotonic()

    def frame(self, files: Mapping[str, bytes]) -> bytes:
        """What the launcher is sent. ``files`` are for scripts with a network only."""
        request = self.request
        given = files if request.has_network else {}
        own = runtimes.named(request.runtime).environment(request.memory_mb, bool(given))
        return stream.request_frame(
            key=self.key,
            timeout_seconds=request.timeout_seconds,
            argv=request.argv,
            env={**own, **request.env},
            archive=request.archive,
            files=given,
        )

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.timings[name] = round((now - self._lap) * 1000)
        self._lap = now

    def ended(self, outcome: SandboxOutcome) -> SandboxOutcome:
        total = round((time.monotonic() - self._began) * 1000)
        return replace(outcome, timings=self.timings | {"total": total})

    def check_wanted(self) -> None:
        """Raises RunKilled."""
        if self.killed:
            raise RunKilled
