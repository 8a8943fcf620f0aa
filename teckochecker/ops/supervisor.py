"""Keeps the server's processes running, and ends them cleanly.

A child gets SIGTERM at its main process only: django-q2 hangs when its workers are told as well. What is left of
its session after ``stop_seconds`` is killed.
"""

import contextlib
import ctypes
import fcntl
import functools
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # linux/prctl.h
TICK_SECONDS = 0.1
LOG_BYTES = 20_000_000
OLD_LOGS = 5
DRAIN_SECONDS = 2.0
PIPE_BYTES = 1 << 20  # lines of several processes mix only in a pipe that is full


@dataclass(frozen=True, kw_only=True)
class Program:
    """A process to keep running. ``heartbeat``: seconds since its last sign of life, None before the first."""

    name: str
    argv: tuple[str, ...]
    log: Path | None = None  # appended to; None is the screen
    log_bytes: int = LOG_BYTES  # then it becomes log.1, and so on
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    files: tuple[int, ...] = ()  # open ones that it is given
    heartbeat: Callable[[], float | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All in seconds."""

    stop: float = 40
    first_backoff: float = 1
    longest_backoff: float = 30
    healthy: float = 60  # a child that ran as long starts the backoff anew
    silence: float = 120
    between_heartbeats: float = 10


class Child:
    """One program and the process that runs it now, if any."""

    def __init__(self, program: Program, *, limits: Limits) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.start_at = 0.0
        self.kill_at: float | None = None
        self._limits = limits
        self._reader: threading.Thread | None = None
        self._started_at = 0.0
        self._asked_at = 0.0
        self._backoff = limits.first_backoff

    def start(self, *, now: float) -> None:
        self._started_at = self._asked_at = now
        self.kill_at = None
        parent = os.getpid()
        libc = ctypes.CDLL(None)

        def end_with_parent() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        self.process = subprocess.Popen(
            self.program.argv,
            stdin=subprocess.DEVNULL,
            stdout=None if self.program.log is None else subprocess.PIPE,
            stderr=None if self.program.log is None else subprocess.STDOUT,
            env=self.program.environ,
            start_new_session=True,
            pass_fds=self.program.files,
            preexec_fn=end_with_parent,  # takes no lock that another thread may hold
        )
        if self.program.log and self.process.stdout:
            with contextlib.suppress(OSError):  # a user may have so many bytes of pipes
                fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            log = _log(self.program.log, self.program.log_bytes)
            self._reader = threading.Thread(target=_keep, args=(self.process.stdout, log), daemon=True)
            self._reader.start()

    def ended(self) -> int | None:
        """The exit code, or None while it runs."""
        return None if self.process is None else self.process.poll()

    def terminate(self, *, now: float) -> None:
        if self.process is not None and self.kill_at is None:
            self.kill_at = now + self._limits.stop
            self.process.terminate()

    def kill(self) -> None:
        """Ends all that is left of the child's session, and waits for the child itself."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        if self._reader:
            self._reader.join(DRAIN_SECONDS)

    def back_off(self, *, now: float) -> float:
        """Plans the next start; returns the seconds until then."""
        if now - self._started_at >= self._limits.healthy:
            self._backoff = self._limits.first_backoff
        pause, self._backoff = self._backoff, min(self._backoff * 2, self._limits.longest_backoff)
        self.start_at = now + pause
        return pause

    def silent_for(self, *, now: float) -> float:
        """Seconds without a heartbeat since this start; 0 where that is not known or was asked just now."""
        if self.program.heartbeat is None or now - self._asked_at < self._limits.between_heartbeats:
            return 0
        self._asked_at = now
        age = self.program.heartbeat()
        return now - self._started_at if age is None else min(age, now - self._started_at)


class Supervisor:
    """``report`` gets one line for people whenever something happened to a child."""

    def __init__(
        self, programs: Sequence[Program], *, report: Callable[[str], None], limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._children = [Child(program, limits=self._limits) for program in programs]
        self._report = report
        self._stops_asked = 0

    def run(self) -> None:
        """Returns after SIGTERM or SIGINT, when every child is gone."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        self.tend_until_stopped()

    def tend_until_stopped(self) -> None:
        """Like ``run`` without the signals, which only a main thread may have."""
        try:
            while not self._stops_asked:
                self._tend(now=time.monotonic())
                time.sleep(TICK_SECONDS)
            self._wind_down()
        finally:
            for child in self._children:
                child.kill()

    def stop(self) -> None:
        """Called twice, it does not wait for the children."""
        self._stops_asked += 1

    def _tend(self, *, now: float) -> None:
        for child in self._children:
            if child.process is None:
                if now >= child.start_at:
                    child.start(now=now)
            elif (code := child.ended()) is not None:
                child.kill()
                pause = child.back_off(now=now)
                self._report(f"{child.program.name} ended with code {code}; it starts again in {pause:g} s")
            elif child.kill_at is not None:
                if now >= child.kill_at:
                    child.kill()
            elif (silence := child.silent_for(now=now)) > self._limits.silence:
                self._report(f"{child.program.name} gave no sign of life for {silence:.0f} s; it is restarted")
                child.terminate(now=now)

    def _wind_down(self) -> None:
        started = time.monotonic()
        for child in self._children:
            child.terminate(now=started)
        deadline = started + self._limits.stop
        while any(child.process and child.ended() is None for child in self._children):
            if time.monotonic() >= deadline or self._stops_asked > 1:
                self._report("killing what did not end by itself")
                return
            time.sleep(TICK_SECONDS)


@functools.cache
def _log(path: Path, size: int) -> RotatingFileHandler:
    """One for all the programs that share the file."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return RotatingFileHandler(path, maxBytes=size, backupCount=OLD_LOGS)


def _keep(output: IO[bytes], log: RotatingFileHandler) -> None:
    """Writes line by line what a program says, until it and all that it has started have ended."""
    with output:
        for line in output:
            log.handle(logging.makeLogRecord({"msg": line.decode(errors="replace").rstrip("\n")}))
