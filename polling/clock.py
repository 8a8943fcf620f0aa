"""Whether somebody set the clock: the wall's time against the time that has really passed."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=30)


class Clock:
    def __init__(self, *, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._last: tuple[datetime, float] | None = None

    def jump(self, now: datetime) -> timedelta:
        """By how much the clock was set since the last call; zero where that is no more than it may drift."""
        steady = self._steady()
        before, self._last = self._last, (now, steady)
        if before is None:
            return timedelta(0)
        jumped = now - before[0] - timedelta(seconds=steady - before[1])
        return jumped if abs(jumped) > TOLERANCE else timedelta(0)
