"""How a host is doing, as its sweep finds out and publishes with its heartbeat.

So the web server needs no engine to say how things stand, and each host can tell of the others.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from polling.base.disk_space import FULL, Disk, own_places
from polling.jobs.runners import Condition, Fault, Runner

EXAMINE_SECONDS = 10.0
HUNG_SECONDS = 60.0  # an engine's longest answer, and more


@dataclass
class _Examined:
    at: float
    condition: Condition


class Reporter:
    """``examine`` may hang with an engine, and has a thread of its own; the others do not."""

    def __init__(self, *, floor_mb: float) -> None:
        self._disk = Disk(floor_mb)
        self._examined: dict[str, _Examined] = {}

    @property
    def paused(self) -> bool:
        """No check may start: there is no room for what it writes."""
        return self._disk.low

    def begin(self, kinds: Iterable[str]) -> None:
        self._examined = {kind: _Examined(time.monotonic() - EXAMINE_SECONDS, Condition()) for kind in kinds}

    def examine(self, kind: str, runner: Runner) -> None:
        if time.monotonic() - self._examined[kind].at >= EXAMINE_SECONDS:
            condition = runner.condition()
            self._examined[kind] = _Examined(time.monotonic(), condition)

    def look(self) -> None:
        places = [place for examined in self._examined.values() for place in examined.condition.places]
        self._disk.look([*own_places(), *places])

    def report(self) -> dict[str, Any]:
        return {"faults": [asdict(fault) for fault in dict.fromkeys(self._faults())]}

    def _faults(self) -> Iterator[Fault]:
        if self.paused:
            yield Fault("disk", FULL)
        for examined in self._examined.values():
            yield from examined.condition.faults
            if time.monotonic() - examined.at > HUNG_SECONDS:
                yield Fault("engine", "The Docker Engine has not answered for a while.")
