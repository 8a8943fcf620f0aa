"""What a shell may offer for a word that somebody has begun; nothing where the database cannot be asked."""

from collections.abc import Iterable

from django.db import DatabaseError, models

from customchecks.models import CustomCheckJob
from polling.polling_job import PollingJob
from secrets_app.models import Secret

MOST = 50


def jobs(incomplete: str) -> Iterable[str]:
    return _names(CustomCheckJob, incomplete)


def polling_jobs(incomplete: str) -> Iterable[str]:
    return _names(PollingJob, incomplete)


def secrets(incomplete: str) -> Iterable[str]:
    return _names(Secret, incomplete)


def tags(incomplete: str) -> Iterable[str]:
    try:
        found = {tag for row in CustomCheckJob.objects.values_list("tags", flat=True) for tag in row}
    except DatabaseError:
        return []
    return sorted(tag for tag in found if tag.startswith(incomplete))[:MOST]


def _names(model: type[models.Model], incomplete: str) -> list[str]:
    """A shell completes what begins with exactly these letters; SQLite does not tell large from small ones."""
    rows = model._default_manager.filter(name__startswith=incomplete).order_by("name").values_list("name", flat=True)
    try:
        return [name for name in rows.distinct()[:MOST] if name.startswith(incomplete)]
    except DatabaseError:
        return []
