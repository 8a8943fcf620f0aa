"""The deadlines of jobs and groups, as a sweep enforces them: also when the clock is set or nothing ran for a while."""

import time
from collections.abc import Callable, Collection
from datetime import datetime

import structlog

from polling import claims, groups
from polling.clock import Clock
from polling.scheduling import ScheduledJob

logger = structlog.get_logger(__name__)

LAST_LOOK_SECONDS = 300.0  # a sweep that begins may follow a time in which nothing ran


class Deadlines:
    """``steady``: seconds that no clock's setting changes."""

    def __init__(self, kinds: Collection[type[ScheduledJob]], *, steady: Callable[[], float] = time.monotonic) -> None:
        self._kinds = kinds
        self._steady = steady
        self._began = steady()
        self._clock = Clock(steady=steady)

    def enforce(self, now: datetime) -> None:
        self._follow_the_clock(now)
        last_look = self._steady() < self._began + LAST_LOOK_SECONDS
        for kind in self._kinds:
            if given_up := claims.give_up_overdue(kind, now=now, last_look=last_look):
                logger.warning("jobs_given_up", kind=kind.kind, count=given_up)
        if late := groups.enforce_deadlines(now=now, last_look=last_look):
            logger.warning("groups_ended_by_deadline", count=late)

    def _follow_the_clock(self, now: datetime) -> None:
        if jump := self._clock.jump(now):
            logger.warning("clock_was_set", seconds=round(jump.total_seconds()))
            for kind in self._kinds:
                claims.move_deadlines(kind, by=jump)
            groups.move_deadlines(by=jump)
