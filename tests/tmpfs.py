"""A file system that is small enough to be filled."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests import absent

BALLAST = "ballast"


@contextlib.contextmanager
def mounted(place: Path, *, megabytes: int) -> Iterator[Path]:
    if os.geteuid() != 0:
        absent.say("Only root may mount a file system to fill.")
    place.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tecko-test", str(place)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        absent.say(f"No file system can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, *, leave: int = 0) -> None:
    """Until so many bytes are left."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    with (place / BALLAST).open("wb") as file, contextlib.suppress(OSError):
        for size in (1024 * 1024, 4096):
            while leave < free:
                file.write(b"x" * min(size, free - leave))
                file.flush()
                free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize


def empty(place: Path) -> None:
    (place / BALLAST).unlink()
