"""A time in which the database cannot be used: told once when it begins and once when it is over."""

import threading
import time

import structlog
from django.db import close_old_connections

from teckochecker.kit import database_errors

logger = structlog.get_logger(__name__)


class Outage:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began: float | None = None
        self._ended: float | None = None

    def noted(self, error: BaseException) -> bool:
        """False where the error has another reason. Also lets go of the connection, so that the next try makes one."""
        trouble = database_errors.trouble(error)
        close_old_connections()
        if trouble is None:
            return False
        with self._lock:
            began, self._began = self._began, self._began or time.monotonic()
        if began is None:
            reason = " ".join(str(error).split())[: database_errors.LONGEST_REASON]
            logger.warning("database_lost", trouble=trouble.name.lower(), reason=reason)
        return True

    def over(self) -> None:
        with self._lock:
            began, self._began = self._began, None
            if began is None:
                return
            self._ended = time.monotonic()
        logger.info("database_found", seconds=round(self._ended - began, 1))

    @property
    def lasts(self) -> bool:
        with self._lock:
            return self._began is not None

    def calm_for(self, seconds: float) -> bool:
        """Whether the database has been there for so long, as far as this process knows."""
        with self._lock:
            return self._began is None and (self._ended is None or time.monotonic() - self._ended >= seconds)
