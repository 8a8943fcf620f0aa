"""When a call is made again: the published times, and what the receiver asked for."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Seconds after each failed attempt: the quick ones of the product document, then for 27 hours
RETRY_SECONDS = (1, 2, 4, 300, 1800, 7200, 18000, 36000, 36000)
JITTER = 0.1
SHORTEST_JITTERED = 60
LONGEST_RETRY_AFTER = timedelta(hours=1)
_LONGEST_NUMBER = 9


def next_attempt(failed: int, *, now: datetime, retry_after: timedelta | None = None) -> datetime | None:
    """``failed`` attempts were made; None after the last. A receiver can ask for later, never for sooner."""
    if failed > len(RETRY_SECONDS):
        return None
    seconds = float(RETRY_SECONDS[failed - 1])
    if seconds >= SHORTEST_JITTERED:
        seconds *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads receivers, no secret
    return now + max(timedelta(seconds=seconds), retry_after or timedelta(0))


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """The header's seconds or HTTP date, at most an hour; None where it says nothing that can be used."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        wait = timedelta(seconds=int(value)) if len(value) <= _LONGEST_NUMBER else LONGEST_RETRY_AFTER
        return min(wait, LONGEST_RETRY_AFTER)
    try:
        asked = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    asked = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    return min(max(asked - now, timedelta(0)), LONGEST_RETRY_AFTER)
