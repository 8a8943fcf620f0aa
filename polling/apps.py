"""Starts the sweep: a schedule for every minute, and at once when a worker of the cluster starts."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class PollingConfig(AppConfig):
    name = "polling"
    verbose_name = "Polling"

    def ready(self) -> None:
        from django_q.signals import post_spawn

        from polling import checks  # noqa: F401  registers the system checks

        post_migrate.connect(_schedule_sweep, sender=self)
        post_spawn.connect(_start_sweep)


def _schedule_sweep(using: str, **_: Any) -> None:
    from django.db import connections
    from django_q.models import Schedule

    from polling.sweep import bootstrap

    if Schedule._meta.db_table in connections[using].introspection.table_names():  # migrations may come app by app
        bootstrap.schedule()


def _start_sweep(**_: Any) -> None:
    import structlog
    from django.db import DatabaseError

    from polling.sweep import bootstrap

    try:
        bootstrap.start()
    except DatabaseError as error:  # the schedule starts it later; a worker that dies here is born again at once
        structlog.get_logger(__name__).warning("sweep_not_started", reason=str(error))
