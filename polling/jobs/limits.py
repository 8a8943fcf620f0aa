"""When a job is given up, and when people are told that it errs: the limits of a job, and whether one is reached."""

from dataclasses import replace
from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import ranges
from teckochecker.kit.ranges import Range


def between(limits: Range[int]) -> list[MinValueValidator | MaxValueValidator]:
    return [MinValueValidator(limits.low), MaxValueValidator(limits.high)]


class Limits(models.Model):
    """What bounds one cycle of a job, and how near to that it is.

    ``deadline_at`` is None until the cycle's first check, and while the job is paused: then it counts anew.
    """

    deadline_seconds = models.PositiveIntegerField(
        default=ranges.DEADLINE_SECONDS.default, validators=between(ranges.DEADLINE_SECONDS)
    )
    max_checks = models.PositiveIntegerField(default=ranges.MAX_CHECKS.default, validators=between(ranges.MAX_CHECKS))
    max_consecutive_errors = models.PositiveIntegerField(
        default=ranges.MAX_ERRORS.default, validators=between(ranges.MAX_ERRORS)
    )
    alert_after_errors = models.PositiveIntegerField(
        default=ranges.ALERT_AFTER_ERRORS.default,
        null=True,
        blank=True,
        validators=between(ranges.ALERT_AFTER_ERRORS),
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
