"""The deadlines of jobs and groups, as a sweep enforces them: also when the clock is set or nothing ran for a while."""

from collections.abc import Callable, Collection
from datetime import timedelta

import structlog
from django.db import models, transaction

from polling.base.clock import TOLERANCE, Clock, steady
from polling.jobs import claims, groups
from polling.jobs.scheduling import ScheduledJob

logger = structlog.get_logger(__name__)

LAST_LOOK_SECONDS = 300.0  # after a time in which nothing ran
PAUSE_SECONDS = 15.0  # without a look: nothing ran
NOTED_EVERY = timedelta(seconds=5)


class ClockLook(models.Model):
    """One row: the time that a sweep, of whatever host, saw last. Of several that see a jump the first one moves."""

    seen_at = models.DateTimeField()

    class Meta:
        db_table = "clock_looks"

    def __str__(self) -> str:
        return str(self.seen_at)


class Deadlines:
    """``follow`` before anything is judged by the clock's new time; ``clock`` shows the old one until then."""

    def __init__(
        self, kinds: Collection[type[ScheduledJob]], *, clock: Clock, steady: Callable[[], float] = steady
    ) -> None:
        self._kinds = kinds
        self._clock = clock
        self._steady = steady
        self._began = self._enforced = steady()

    def follow(self) -> None:
        """Where the clock was set, what was left until a deadline is still left."""
        jump = self._clock.jump()
        shown = self._clock.now() + jump
        with transaction.atomic():
            look, _ = ClockLook.objects.select_for_update().get_or_create(pk=1, defaults={"seen_at": shown})
            away = abs(shown - look.seen_at)
            if jump and away > TOLERANCE / 2:  # else another host has moved them already
                logger.warning("clock_was_set", seconds=round(jump.total_seconds()))
                for kind in self._kinds:
                    claims.move_deadlines(kind, by=jump)
                groups.move_deadlines(by=jump)
            if away > NOTED_EVERY:
                ClockLook.objects.filter(pk=1).update(seen_at=shown)
        self._clock.take_over()

    def enforce(self) -> None:
        passed = self._steady()
        if passed - self._enforced > PAUSE_SECONDS:
            self._began = passed
        self._enforced = passed
        last_look = passed < self._began + LAST_LOOK_SECONDS
        now = self._clock.now()
        for kind in self._kinds:
            if given_up := claims.give_up_overdue(kind, now=now, last_look=last_look):
                logger.warning("jobs_given_up", kind=kind.kind, count=given_up)
        if late := groups.enforce_deadlines(now=now, last_look=last_look):
            logger.warning("groups_ended_by_deadline", count=late)
