"""Keeps a sweep on duty on this host: a schedule starts it every minute, and a new worker process at once."""

from django.conf import settings
from django_q.models import Schedule
from django_q.tasks import async_task

from polling.base import clock
from polling.sweep.models import SweepLease
from polling.sweep.sweeper import this_host

TASK = "polling.tasks.sweep"


def schedule() -> None:
    """One schedule a host, in the queue of the host's own cluster."""
    Schedule.objects.update_or_create(
        name=f"sweep {this_host()}",
        defaults={
            "func": TASK,
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "cluster": str(settings.Q_CLUSTER["name"]),
        },
    )


def start() -> None:
    """Called in every new worker process: after the death of a sweeping one, its successor starts at once."""
    lease = SweepLease.objects.filter(pk=this_host()).first()
    if lease is None or not lease.held(clock.wall()):
        async_task(TASK, task_name="sweep")
