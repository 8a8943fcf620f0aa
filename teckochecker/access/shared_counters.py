"""Counters that all processes of this machine share: a file for each, locked while it is changed."""

import contextlib
import fcntl
import hashlib
import random
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

# Addresses and names can be invented: the files that were used last are kept
MOST_FILES = 10_000
KEPT_FILES = 8_000
LONGEST_SECONDS = 86_400
TIDIED_ONCE_IN = 100


def key(kind: str, *whose: str) -> str:
    """No two share a counter, and what somebody has typed is in no name of a file."""
    return f"{kind}-{hashlib.sha256(chr(0).join(whose).encode(errors='surrogatepass')).hexdigest()[:32]}"


@contextmanager
def locked(name: str) -> Iterator[BinaryIO]:
    folder: Path = settings.THROTTLE_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    if random.random() < 1 / TIDIED_ONCE_IN:  # noqa: S311  spreads the work, no secret
        tidy()
    path = folder / name
    path.touch(0o600)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def times(file: BinaryIO) -> list[float]:
    content = file.read()
    found = array("d")
    found.frombytes(content[: len(content) // found.itemsize * found.itemsize])  # a killed process wrote a part
    return found.tolist()


def write(file: BinaryIO, found: list[float]) -> None:
    file.seek(0)
    file.write(array("d", found).tobytes())
    file.truncate()


def forget(name: str) -> bool:
    """False where nothing was counted."""
    try:
        (settings.THROTTLE_FOLDER / name).unlink()
    except FileNotFoundError:
        return False
    return True


def tidy() -> None:
    """Removes what was not used for a day, and the oldest where there are too many."""
    used: list[tuple[float, Path]] = []
    for path in settings.THROTTLE_FOLDER.iterdir():
        with contextlib.suppress(FileNotFoundError):
            used.append((path.stat().st_mtime, path))
    used.sort(reverse=True)
    most = KEPT_FILES if len(used) > MOST_FILES else len(used)
    old = time.time() - LONGEST_SECONDS
    for place, (changed, path) in enumerate(used):
        if place >= most or changed < old:
            path.unlink(missing_ok=True)
