"""Who may be called now: dead receivers must not take the places of living ones."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

PLACES = 256
PLACES_PER_RECEIVER = 8
PLACES_FOR_SUSPECTS = 128
PLACES_PER_SUSPECT = 2
SLOW_SECONDS = 5.0
SUSPECT_SECONDS = 600.0

Row = TypeVar("Row", bound=Hashable)


class Traffic:
    """Calls in flight by receiver (host and port), and the receivers that were slow or silent lately."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: Counter[str] = Counter()
        self._suspects: dict[str, float] = {}

    def closed(self) -> set[str]:
        """Receivers that cannot be called now."""
        with self._lock:
            self._forgive()
            full = self._suspect_places() < 1
            suspects = {receiver for receiver in self._suspects if full}
            return suspects | {name for name, calls in self._flights.items() if calls >= self._most(name)}

    def choose(self, waiting: Sequence[tuple[Row, str]]) -> list[Row]:
        """Receivers in turn, those with the fewest calls in flight first; each one's calls in their order."""
        with self._lock:
            turns: Counter[str] = Counter(self._flights)
            ranked = [(self._turn(turns, receiver), receiver, row) for row, receiver in waiting]
            fitting = [entry for entry in ranked if entry[0] <= self._most(entry[1])]
            fitting.sort(key=lambda entry: entry[0])  # stable: the longest waiting first
            suspects = itertools.count(1)
            places = self._suspect_places()
            allowed = [
                row for _, receiver, row in fitting if receiver not in self._suspects or next(suspects) <= places
            ]
            return allowed[: max(0, PLACES - self._flights.total())]

    def enter(self, receiver: str) -> None:
        with self._lock:
            self._flights[receiver] += 1

    def leave(self, receiver: str, *, seconds: float) -> None:
        with self._lock:
            self._flights[receiver] -= 1
            self._flights += Counter()  # drops those that are at nothing
            if seconds >= SLOW_SECONDS:
                self._suspects[receiver] = self._clock() + SUSPECT_SECONDS
            else:
                self._suspects.pop(receiver, None)

    def total(self) -> int:
        with self._lock:
            return self._flights.total()

    def _turn(self, turns: Counter[str], receiver: str) -> int:
        turns[receiver] += 1
        return turns[receiver]

    def _most(self, receiver: str) -> int:
        return PLACES_PER_SUSPECT if receiver in self._suspects else PLACES_PER_RECEIVER

    def _suspect_places(self) -> int:
        return PLACES_FOR_SUSPECTS - sum(calls for name, calls in self._flights.items() if name in self._suspects)

    def _forgive(self) -> None:
        now = self._clock()
        self._suspects = {name: until for name, until in self._suspects.items() if until > now}
