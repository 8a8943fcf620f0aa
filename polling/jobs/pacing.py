"""How long a job waits until its next check when the answer of the last one says something about that."""

import random
from datetime import timedelta

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs.ranges import INTERVAL_SECONDS

ERROR_RETRY_SECONDS = 60  # the first retry of an ERROR, or the job's interval where that is shorter
ERROR_RETRY_CAP_SECONDS = 3600


def asked(result: CheckResult) -> int | None:
    """The seconds that the script asked for, within what an interval may be."""
    if result.next_check_in is None or result.verdict.terminal:
        return None
    return INTERVAL_SECONDS.within(result.next_check_in)


def wait(result: CheckResult, *, interval: int, errors: int) -> timedelta | None:
    """``errors``: how many in a row came before this answer. None: the interval, in seconds, holds.

    An ERROR only asks for later.
    """
    wish = asked(result)
    wanted = None if wish is None else timedelta(seconds=wish)
    if result.verdict is not Verdict.ERROR:
        return wanted
    return max(_retry_delay(result, interval, errors), wanted or timedelta(0))


def _retry_delay(result: CheckResult, interval: int, errors: int) -> timedelta:
    first = min(interval, ERROR_RETRY_SECONDS)
    if result.cause is Cause.RUNNER_LOST and errors == 0:
        return timedelta(0)
    seconds = min(first * 2 ** min(errors, 12), ERROR_RETRY_CAP_SECONDS)
    return timedelta(seconds=seconds * random.uniform(1.0, 1.1))  # noqa: S311  jitter, not a secret
