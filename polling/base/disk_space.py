"""Whether there is room for what checks write: they pause before a disk is full, and go on by themselves."""

import errno
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection

logger = structlog.get_logger(__name__)

MEGABYTE = 1024**2
NO_SPACE = "no space left on device"
FULL = "The disk is nearly full: no check starts until there is room."
ROOM_AGAIN = 1.25  # times the floor, so that one check more or less does not change it


def own_places() -> Iterator[Path]:
    """Of the home, and of the database where it is a file."""
    yield settings.TECKO_HOME
    if connection.vendor == "sqlite":
        yield Path(connection.settings_dict["NAME"]).parent


def is_full(error: BaseException) -> bool:
    """Whether it is what a program, or an engine on its behalf, says of a disk without room."""
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or NO_SPACE in str(error).lower()


def is_low(places: Iterable[Path], *, floor_mb: float) -> bool:
    return any(free < floor_mb * MEGABYTE for free in map(_free, places) if free is not None)


def _free(place: Path) -> int | None:
    """None where it cannot be seen from here, as an engine's on another machine."""
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


class Disk:
    """``low`` is what the last look found."""

    def __init__(self, floor_mb: float) -> None:
        self._floor_mb = floor_mb
        self.low = False

    def look(self, places: Iterable[Path]) -> None:
        before = self.low
        self.low = is_low(places, floor_mb=self._floor_mb * (ROOM_AGAIN if before else 1))
        if self.low and not before:
            logger.error("checks_paused", reason=f"Less than {self._floor_mb} MB of disk are free.")
        elif before and not self.low:
            logger.info("checks_resumed")
