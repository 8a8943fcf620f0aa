"""Which kinds of jobs there are: what the installed apps define."""

from typing import TYPE_CHECKING, ClassVar, cast

from django.apps import apps
from django.db import models

if TYPE_CHECKING:
    from polling.jobs.scheduling import ScheduledJob


class Kind(models.Model):
    """Marks a model as a kind of job; it lies apart from ``scheduling``, which needs what looks at all kinds."""

    kind: ClassVar[str]
    counted: ClassVar[bool] = True  # False: the sweep runs it, and nobody calls it a job

    class Meta:
        abstract = True


def kinds() -> "list[type[ScheduledJob]]":
    return [cast("type[ScheduledJob]", model) for model in apps.get_models() if issubclass(model, Kind)]


def job_kinds() -> "list[type[ScheduledJob]]":
    """Those that people know as jobs."""
    return [kind for kind in kinds() if kind.counted]
