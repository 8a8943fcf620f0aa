"""Writes down what checks have answered: also when the database comes back only later."""

import threading
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError

from polling.base import disk_space
from polling.base.clock import Clock
from polling.base.crash_points import Point, reach
from polling.base.outage import Outage
from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import claims
from polling.jobs.scheduling import Claim
from teckochecker.kit import database_errors
from teckochecker.kit.database_errors import Trouble

logger = structlog.get_logger(__name__)

TRIES = 5
AGAIN_SECONDS = 1.0


class Recorder:
    """Thread-safe. An answer waits in its thread for the database; nobody else takes the claim over meanwhile."""

    def __init__(self, clock: Clock, outage: Outage) -> None:
        self._clock = clock
        self._outage = outage
        self._closed = threading.Event()

    def record(self, claim: Claim, result: CheckResult) -> None:
        """Raises what the database said, where it refuses this answer, or waiting makes no sense any more."""
        tries = 0
        while True:
            try:
                recorded = claims.record(claim, result, now=self._clock.now())
            except (DatabaseError, InterfaceError) as error:
                tries += not self._outage.noted(error)
                if tries == TRIES or self._closed.wait(AGAIN_SECONDS):
                    raise
            else:
                reach(Point.CHECK_RECORDED)
                _tell(result, recorded=recorded)
                return

    def close(self) -> None:
        """What waits is given up: its job is asked again."""
        self._closed.set()


def _tell(result: CheckResult, *, recorded: bool) -> None:
    details: dict[str, Any] = {"verdict": result.verdict.value, "cause": result.cause, "recorded": recorded}
    logger.info("check_ended", duration_ms=result.execution_time_ms, **details, **result.timings)


def crashed(error: Exception) -> CheckResult:
    """The answer of a check that something of ours has ended; nothing is said of its script."""
    trouble = database_errors.trouble(error)
    if trouble is Trouble.FULL or disk_space.is_full(error):
        return _failed(Cause.DISK_FULL, "The disk of TeckoChecker is full.")
    if trouble is not None:
        return _failed(Cause.DATABASE_UNAVAILABLE, trouble.sentence)
    return _failed(Cause.RUNNER_LOST, "TeckoChecker failed while it ran this check; its log has the details.")


def _failed(cause: Cause, message: str) -> CheckResult:
    return CheckResult(verdict=Verdict.ERROR, cause=cause, message=message)
