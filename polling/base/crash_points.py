"""Named places between a claim and its delivery's last write, at which a test may kill the process.

Only the tests' settings can name one: the product's own do not have ``TECKO_CRASH_AT``.
"""

import enum
import os
import signal

from django.conf import settings


class Point(enum.StrEnum):
    """In the order in which a check comes to them."""

    JOB_CLAIMED = "job_claimed"
    CHECK_STARTED = "check_started"
    SCRIPT_FETCHED = "script_fetched"
    DEPENDENCIES_PREPARED = "dependencies_prepared"
    CONTAINER_CREATED = "container_created"
    CONTAINER_STARTED = "container_started"
    SCRIPT_ANSWERED = "script_answered"
    CONTAINER_REMOVED = "container_removed"  # behind the check's back: the next ones may come before it
    CHECK_ANSWERED = "check_answered"
    STATE_WRITTEN = "state_written"  # from here to CHECK_RECORDED nothing is committed
    LOG_WRITTEN = "log_written"
    DELIVERY_WRITTEN = "delivery_written"
    GROUP_ENDED = "group_ended"
    CHECK_RECORDED = "check_recorded"
    DELIVERY_CLAIMED = "delivery_claimed"
    DELIVERY_PREPARED = "delivery_prepared"
    DELIVERY_ANSWERED = "delivery_answered"
    DELIVERY_COUNTED = "delivery_counted"  # not committed
    DELIVERY_SETTLED = "delivery_settled"


def reach(point: Point) -> None:
    if point == getattr(settings, "TECKO_CRASH_AT", None):
        os.kill(os.getpid(), signal.SIGKILL)
