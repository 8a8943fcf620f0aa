"""Wrong passwords, counted so that no number of them at the same time goes beyond a limit.

An attempt counts from when it begins: it takes one of the places that are left, and gives it back where the password
was right. Whoever finds all places taken by attempts under way waits for them.
"""

import time
from dataclasses import dataclass

from teckochecker.access import shared_counters

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.05
# A process that was killed gives no place back
LONGEST_ATTEMPT_SECONDS = 30.0


@dataclass(frozen=True)
class Limit:
    """``most`` wrong passwords, each forgotten after ``seconds``; of a ``lock`` all at once, after the last."""

    name: str
    most: int
    seconds: float
    lock: bool = False

    def seconds_left(self) -> float:
        """Until there may be another attempt; attempts under way are no reason to wait so long."""
        with shared_counters.locked(self.name) as file:
            wrong, _ = self._kept(shared_counters.times(file), time.time())
        return self._left(wrong, time.time())

    def begin(self) -> "Attempt | None":
        """None where it is too many."""
        ends = time.monotonic() + WAIT_SECONDS
        while True:
            attempt, worth_waiting = self._begin()
            if attempt or not worth_waiting or time.monotonic() > ends:
                return attempt
            time.sleep(LOOK_SECONDS)

    def _begin(self) -> "tuple[Attempt | None, bool]":
        with shared_counters.locked(self.name) as file:
            now = time.time()
            wrong, begun = self._kept(shared_counters.times(file), now)
            if len(wrong) + len(begun) >= self.most:
                return None, len(wrong) < self.most
            while now in begun:
                now += 1e-6
            shared_counters.write(file, [*wrong, *(-each for each in begun), -now])
        return Attempt(self, now), False

    def end(self, begun_at: float, *, wrong: bool) -> None:
        with shared_counters.locked(self.name) as file:
            now = time.time()
            known, begun = self._kept(shared_counters.times(file), now)
            others = [-each for each in begun if each != begun_at]
            shared_counters.write(file, [*known, *([now] if wrong else []), *others])

    def _kept(self, found: list[float], now: float) -> tuple[list[float], list[float]]:
        """When passwords were wrong, and when attempts began that are under way, which are stored as negative."""
        wrong = [each for each in found if each > 0]
        if not self.lock:
            wrong = [each for each in wrong if now - each < self.seconds]
        elif wrong and now - max(wrong) >= self.seconds:
            wrong = []
        return wrong, [-each for each in found if each < 0 and now + each < LONGEST_ATTEMPT_SECONDS]

    def _left(self, wrong: list[float], now: float) -> float:
        if len(wrong) < self.most:
            return 0
        first = max(wrong) if self.lock else sorted(wrong)[-self.most]
        return max(first + self.seconds - now, 1)


@dataclass(frozen=True)
class Attempt:
    limit: Limit
    begun_at: float

    def end(self, *, wrong: bool) -> None:
        self.limit.end(self.begun_at, wrong=wrong)
