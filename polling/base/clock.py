"""The time that a sweep judges by: it passes evenly, whatever is done to a clock meanwhile.

Hosts that share a PostgreSQL have its clock in common, so that none takes another's claims for expired because its own
clock is wrong.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

TOLERANCE = timedelta(seconds=30)


def wall() -> datetime:
    """What the clock shows: the database's where it has one, else the machine's. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (shown,) = cursor.fetchone()
    return shown  # type: ignore[no-any-return]


def steady() -> float:
    """Seconds that no setting of a clock changes, with those in which the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Thread-safe. ``now`` goes on from the last time that was shown and taken over, by the seconds that passed."""

    def __init__(self, *, wall: Callable[[], datetime] = wall, steady: Callable[[], float] = steady) -> None:
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._taken: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        with self._lock:
            if self._taken is None:
                self._taken = self._wall(), self._steady()
            shown, at = self._taken
            return shown + timedelta(seconds=self._steady() - at)

    def jump(self) -> timedelta:
        """By how much the clock was set since it was taken over; zero where that is no more than it may drift."""
        jumped = self._wall() - self.now()
        return jumped if abs(jumped) > TOLERANCE else timedelta(0)

    def take_over(self) -> None:
        with self._lock:
            self._taken = self._wall(), self._steady()
