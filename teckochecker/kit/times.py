"""Points in time as people write them."""

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime


def read(value: str | datetime) -> datetime:
    """Without an offset it is UTC. The + of an offset is a space in a query that was not quoted."""
    try:
        found = value if isinstance(value, datetime) else parse_datetime(_unspaced(value))
        if found is not None:
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValidationError("A time such as 2026-01-31T22:00:00Z is wanted.")


def _unspaced(text: str) -> str:
    return text.replace(" ", "+") if "T" in text else text
