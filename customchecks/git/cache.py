"""What was fetched from repositories: a folder for each, which threads and processes share and lock."""

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from customchecks.archives.tar_stream import MB
from customchecks.git.process import GitFailed

UNUSED_DAYS = 30


class GitCache:
    """``limit_mb`` is for all repositories together. Nothing in here is needed: it can be fetched again."""

    def __init__(self, folder: Path, *, limit_mb: int) -> None:
        self._folder = folder
        self._limit_mb = limit_mb

    @contextlib.contextmanager
    def locked(self, key: str, *, until: float) -> Iterator[Path]:
        """The folder of a repository, which may not be there yet. Raises GitFailed at ``until`` (time.monotonic())."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f"{key}.lock").open("w") as file:
            while not _lock(file.fileno()):
                if time.monotonic() >= until:
                    raise GitFailed("Another check was fetching the repository for too long.")
                time.sleep(0.05)
            yield self._folder / key

    def forget_unused(self, now: datetime) -> int:
        """Removes what has not been fetched into for 30 days."""
        oldest = (now - timedelta(days=UNUSED_DAYS)).timestamp()
        return sum(self._remove(entry) for used, entry in self._by_use() if used < oldest)

    def make_room(self) -> int:
        """Removes what has not been fetched into for the longest time, until the rest is within the limit."""
        sizes = [(entry, size(entry)) for _, entry in self._by_use()]
        total, removed = sum(taken for _, taken in sizes), 0
        for entry, taken in sizes:
            if total <= self._limit_mb * MB:
                break
            if self._remove(entry):
                total -= taken
                removed += 1
        return removed

    def _by_use(self) -> list[tuple[float, Path]]:
        found = []
        for entry in self._folder.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir():
                    found.append((entry.stat().st_mtime, entry))
        return sorted(found)

    def _remove(self, entry: Path) -> bool:
        """False where somebody is using it."""
        with contextlib.suppress(GitFailed), self.locked(entry.name, until=0):
            shutil.rmtree(entry, ignore_errors=True)
            return True
        return False


def size(folder: Path) -> int:
    """Bytes of its files."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += file.lstat().st_size if file.is_file() else 0
    return total


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
