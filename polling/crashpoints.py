"""Named places between two writes, at which a test may kill the process.

Only the tests' settings can name one: the product's own do not have ``TECKO_CRASH_AT``.
"""

import os
import signal

from django.conf import settings


def reach(point: str) -> None:
    if point == getattr(settings, "TECKO_CRASH_AT", None):
        os.kill(os.getpid(), signal.SIGKILL)
