"""What the django-q2 cluster calls for custom checks: once a day, what nobody uses any more is removed."""

from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule

from customchecks.git.repositories import Repositories
from customchecks.jobs import trials, versions
from polling.sweep.sweeper import this_host
from secrets_app import previous_values
from secrets_app.models import Secret

COLLECT = "customchecks.tasks.collect"


def collect() -> dict[str, int]:
    now = timezone.now()
    return {
        "versions": versions.collect(now),
        "trials": trials.forget_old(now),
        "former_values": previous_values.forget(Secret.objects.all(), now),
        "repositories": Repositories.from_settings().cache.forget_unused(now),
    }


def schedule() -> None:
    """One schedule a host, because each has a cache of repositories of its own."""
    Schedule.objects.get_or_create(
        name=f"collect scripts {this_host()}",
        defaults={
            "func": COLLECT,
            "schedule_type": Schedule.DAILY,
            "repeats": -1,
            "cluster": str(settings.Q_CLUSTER["name"]),
        },
    )
