"""``manage.py qcluster``: django-q2's cluster, once all that it needs is there."""

from typing import Any

from django_q.management.commands import qcluster

from teckochecker import readiness


class Command(qcluster.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        readiness.demand()
        super().handle(*args, **options)  # type: ignore[no-untyped-call]
