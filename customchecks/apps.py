"""Schedules the daily removal of what no job uses any more."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CustomChecksConfig(AppConfig):
    name = "customchecks"
    verbose_name = "Custom checks"

    def ready(self) -> None:
        post_migrate.connect(_schedule, sender=self)


def _schedule(using: str, **_: Any) -> None:
    from django.db import connections
    from django_q.models import Schedule

    from customchecks import tasks

    if Schedule._meta.db_table in connections[using].introspection.table_names():  # migrations may come app by app
        tasks.schedule()
