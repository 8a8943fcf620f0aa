"""When a job is given up, and when people are told that it errs: the limits of a job, and whether one is reached."""

from dataclasses import replace
from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from polling.base.results import Cause, CheckResult, Verdict

DAY = 86400
DEADLINE_SECONDS = (10, 366 * DAY)
MAX_CHECKS = (1, 10_000_000)
MAX_ERRORS = (1, 1000)
DEFAULT_DEADLINE_SECONDS = 7 * DAY
DEFAULT_MAX_CHECKS = 100_000  # more than the default deadline has room for: it stops what checks without a pause
DEFAULT_MAX_ERRORS = 25  # with the growing delays after errors about 19 hours
DEFAULT_ALERT_AFTER = 5  # about a quarter of an hour


def _between(limits: tuple[int, int]) -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(limits[0]), MaxValueValidator(limits[1])]


class Limits(models.Model):
    """What bounds one cycle of a job, and how near to that it is.

    ``deadline_at`` is None until the cycle's first check, and while the job is paused: then it counts anew.
    """

    deadline_seconds = models.PositiveIntegerField(
        default=DEFAULT_DEADLINE_SECONDS, validators=_between(DEADLINE_SECONDS)
    )
    max_checks = models.PositiveIntegerField(default=DEFAULT_MAX_CHECKS, validators=_between(MAX_CHECKS))
    max_consecutive_errors = models.PositiveIntegerField(default=DEFAULT_MAX_ERRORS, validators=_between(MAX_ERRORS))
    alert_after_errors = models.PositiveIntegerField(
        default=DEFAULT_ALERT_AFTER, null=True, blank=True, validators=_between(MAX_ERRORS)
    )

    check_count = models.PositiveIntegerField(default=0, editable=False)
    consecutive_errors = models.PositiveIntegerField(default=0, editable=False)
    deadline_at = models.DateTimeField(null=True, editable=False)
    alerting = models.BooleanField(default=False, editable=False)
    alert_count = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    def limit_reached(self, result: CheckResult, *, now: datetime) -> Cause | None:
        """Why the job is to be given up, if it is: ``result`` is recorded in it already."""
        if result.verdict is Verdict.ERROR and self.consecutive_errors >= self.max_consecutive_errors:
            return Cause.MAX_CONSECUTIVE_ERRORS
        if self.check_count >= self.max_checks:
            return Cause.MAX_CHECKS
        return Cause.DEADLINE if self.deadline_at is not None and self.deadline_at <= now else None

    def gave_up(self, cause: Cause, last: CheckResult) -> CheckResult:
        """The answer in place of a verdict; ``last`` is what the last check said."""
        reasons = {
            Cause.DEADLINE: f"no verdict within {self.deadline_seconds} seconds",
            Cause.MAX_CHECKS: f"no verdict after {self.check_count} checks",
            Cause.MAX_CONSECUTIVE_ERRORS: f"{self.consecutive_errors} errors in a row",
        }
        said = f" The last check said: {last.message}" if last.message else ""
        return replace(
            last,
            verdict=Verdict.ERROR,
            cause=cause,
            message=f"Gave up: {reasons[cause]}.{said}",
            stdout="",
            stderr="",
            timings={},
            execution_time_ms=0,
        )
