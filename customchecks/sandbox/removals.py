"""Takes containers away: at once, or behind the back of a check that already has its answer."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from customchecks.docker.engine import Conflict, Engine, EngineError, NotFound

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 2
END_SECONDS = 2.0  # for a launcher to end by itself, which spares the engine a kill
PLACE_SECONDS = 10.0


class Removals:
    """Containers on their way out. Thread-safe. At most ``at_once`` are under way behind somebody's back."""

    def __init__(self, engine: Engine, *, at_once: int) -> None:
        self._engine = engine
        self._places = threading.BoundedSemaphore(at_once)
        self._changed = threading.Condition()
        self._pending: set[str] = set()

    @property
    def pending(self) -> frozenset[str]:
        """Ids of containers that are on their way out."""
        with self._changed:
            return frozenset(self._pending)

    def now(self, container: str) -> bool:
        """Ends it where it still runs. False where it was gone already, or cannot be removed: ``reap`` tries again."""
        for attempt in range(MAX_ATTEMPTS):
            time.sleep(0.5 * attempt)
            try:
                self._engine.remove(container)
                return True
            except (NotFound, Conflict):  # Conflict: its removal is under way
                return False
            except EngineError as error:
                logger.warning("container_not_removed", container=container, attempt=attempt, reason=str(error))
        return False

    def later(
        self, container: str, *, then: Callable[[], None] = lambda: None, patience: float = PLACE_SECONDS
    ) -> None:
        """For a container that is about to end by itself; ``then`` is called when it is gone.

        Waits for a place while removals are slower than what brings them, but not for an engine that removes nothing:
        after ``patience`` seconds it is left to ``reap``.
        """
        if not self._places.acquire(timeout=max(0.0, patience)):
            logger.warning("container_not_removed", container=container, reason="The engine removes no others either.")
            return
        with self._changed:
            self._pending.add(container)
        threading.Thread(target=self._see_off, args=(container, then), name="removal", daemon=False).start()

    def settle(self, *, end: float) -> bool:
        """Waits for what is under way; False where it still is at the monotonic ``end``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, end - time.monotonic())

    def _see_off(self, container: str, then: Callable[[], None]) -> None:
        try:
            with suppress(EngineError):
                self._engine.wait(container, timeout=END_SECONDS)
            self.now(container)
            then()
        finally:
            self._places.release()
            with self._changed:
                self._pending.discard(container)
                self._changed.notify_all()
