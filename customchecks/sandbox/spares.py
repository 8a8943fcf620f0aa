"""Containers that are started ahead, each for the one check that takes it.

A start is nearly all that a check takes in time. What waits is the bare launcher: neither a script nor a secret has
come to it, and what a check has used is never used again.
"""

import select
import socket
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from customchecks.docker.engine import Engine, EngineError
from customchecks.docker.hardening import Spec
from customchecks.sandbox.containers import LONGEST_SECONDS, SPARE, Containers
from customchecks.sandbox.removals import PLACE_SECONDS, Removals

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Spare:
    """A container with a launcher that waits.

    ``claim`` is its own, in the place of a check's; ``until`` is monotonic.
    """

    claim: str
    container: str
    connection: socket.socket
    until: float

    def waits(self) -> bool:
        """A launcher says nothing before it is asked: where there is something to read, it has ended."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        return not poll.poll(0)


class Spares:
    """All that wait in this process.

    Thread-safe. At most ``most`` wait at a time, one of a kind, for so many seconds each.

    One is started only for a kind that was asked for twice within that time, and only with a place among ``starts`` to
    spare: a check that is due goes first.
    """

    def __init__(
        self,
        engine: Engine,
        containers: Containers,
        removals: Removals,
        *,
        most: int,
        seconds: float,
        starts: threading.BoundedSemaphore,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._removals = removals
        self._most = most
        self._seconds = seconds
        self._starts = starts
        self._lock = threading.Condition()  # notified when a start has ended
        self._asked: dict[Spec, tuple[float, float]] = {}  # the last two times
        self._starting: dict[Spec, str] = {}
        self._waiting: dict[Spec, Spare] = {}
        self._closed = False

    @property
    def claims(self) -> frozenset[str]:
        """Of those that wait or are being started."""
        with self._lock:
            return frozenset((*self._starting.values(), *(spare.claim for spare in self._waiting.values())))

    def mount(self, volume: str) -> bool:
        """Whether one that waits has this volume."""
        with self._lock:  # until it is taken nobody closes its connection
            waiting = self._waiting.items()
            return any(volume == name and spare.waits() for spec, spare in waiting for name, _, _ in spec.volumes)

    def take(self, spec: Spec) -> Spare | None:
        """It is the caller's from now on."""
        now = time.monotonic()
        with self._lock:
            _, before = self._asked.get(spec, (0.0, -self._seconds))
            self._asked[spec] = before, now
            spare = self._waiting.pop(spec, None)
        if spare and not spare.waits():
            self._discard(spare)
            return None
        return spare

    def replenish(self, spec: Spec) -> None:
        """Starts one behind the caller's back where it is likely to be taken."""
        with self._lock:
            before, _ = self._asked.get(spec, (-self._seconds, 0.0))
            kept = self._starting.keys() | self._waiting.keys()
            unlikely = time.monotonic() - before >= self._seconds
            if self._closed or unlikely or spec in kept or len(kept) >= self._most:
                return
            if not self._starts.acquire(blocking=False):
                return
            claim = self._starting[spec] = uuid.uuid4().hex
        # A process does not end before its threads: what it has asked a slow engine for, it also takes away
        threading.Thread(target=self._start, args=(spec, claim), name="spare", daemon=False).start()

    def expire(self) -> None:
        now = time.monotonic()
        with self._lock:
            self._asked = {spec: asked for spec, asked in self._asked.items() if now - asked[1] < self._seconds}
            old = [spec for spec, spare in self._waiting.items() if now >= spare.until or not spare.waits()]
            spares = [self._waiting.pop(spec) for spec in old]
        for spare in spares:
            self._discard(spare)

    def settle(self, *, end: float) -> bool:
        """Waits for those that are being started; False where they still are at the monotonic ``end``."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._starting, end - time.monotonic())

    def close(self, *, end: float) -> None:
        """None will wait any more. Works until the monotonic ``end`` at most."""
        with self._lock:
            self._closed = True
        self.clear(end=end)

    def clear(self, *, end: float) -> None:
        """None waits any more. Works until the monotonic ``end`` at most."""
        self.settle(end=end)
        with self._lock:
            spares = list(self._waiting.values())
            self._waiting.clear()
        for spare in spares:
            self._discard(spare, patience=end - time.monotonic())

    def _start(self, spec: Spec, claim: str) -> None:
        spare = None
        try:
            spare = self._started(spec, claim)
        except EngineError as error:
            logger.info("spare_not_started", reason=str(error))
        finally:
            self._starts.release()
            with self._lock:
                self._starting.pop(spec)
                wanted = not self._closed
                if spare and wanted:
                    self._waiting[spec] = spare
                self._lock.notify_all()
        if spare and not wanted:
            self._discard(spare)

    def _started(self, spec: Spec, claim: str) -> Spare:
        seconds = self._seconds + LONGEST_SECONDS
        container = self._containers.create(spec, claim=claim, purpose=SPARE, seconds=seconds)
        with ExitStack() as stack:
            stack.callback(self._removals.now, container)
            connection = stack.enter_context(self._engine.attach(container))
            self._engine.start(container)
            stack.pop_all()
        return Spare(claim, container, connection, time.monotonic() + self._seconds)

    def _discard(self, spare: Spare, *, patience: float = PLACE_SECONDS) -> None:
        spare.connection.close()
        self._removals.later(spare.container, patience=patience)
