"""What Git's processes take while they run: those that are not in our own session."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

MB = 1024 * 1024


@dataclass
class Watched:
    most_rss: int = 0
    seconds: float = 0
    started: int = 0

    @property
    def most_mb(self) -> float:
        return self.most_rss / MB


def git_processes() -> list[psutil.Process]:
    own = os.getsid(0)
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if process.name().startswith(("git", "prlimit")) and _ours(process) and os.getsid(process.pid) != own:
                found.append(process)
    return found


@contextlib.contextmanager
def watching() -> Iterator[Watched]:
    watched = Watched()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            total = 0
            for process in git_processes():
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
            watched.most_rss = max(watched.most_rss, total)

    thread = threading.Thread(target=look)
    thread.start()
    began = time.monotonic()
    try:
        yield watched
    finally:
        watched.seconds = time.monotonic() - began
        over.set()
        thread.join()


def _ours(process: psutil.Process) -> bool:
    return os.getpid() in [process.ppid(), *(parent.pid for parent in process.parents())]
