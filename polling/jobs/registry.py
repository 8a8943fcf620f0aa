"""Which kinds of jobs there are: what the installed apps define."""

from django.apps import apps

from polling.jobs.scheduling import ScheduledJob


def kinds() -> list[type[ScheduledJob]]:
    return [model for model in apps.get_models() if issubclass(model, ScheduledJob)]


def job_kinds() -> list[type[ScheduledJob]]:
    """Those that people know as jobs."""
    return [kind for kind in kinds() if kind.counted]


def find(name: str) -> type[ScheduledJob] | None:
    return next((kind for kind in kinds() if kind.kind == name), None)
