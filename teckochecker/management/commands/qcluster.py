"""``manage.py qcluster``: django-q2's cluster, once all that it needs is there, and anew when it runs nothing."""

import os
import sys
import time
from typing import Any

import psutil
import structlog
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, connections
from django_q.cluster import Cluster

from customchecks import tasks
from polling.jobs.registry import kinds
from polling.sweep import bootstrap
from polling.sweep.models import SweepLease
from polling.sweep.sweeper import GRACE_SECONDS, this_host
from polling.sweep.watchdog import ALLOWED_SECONDS, EVERY_SECONDS, Watchdog
from teckochecker.ops import readiness

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = GRACE_SECONDS + 5


class Command(BaseCommand):
    help = "Runs the django-q2 cluster until SIGTERM. Where tasks do not go through any more it starts anew."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--prove-every",
            type=float,
            default=EVERY_SECONDS,
            metavar="SECONDS",
            help=f"prove so often that a task goes through the queue (default {EVERY_SECONDS:g})",
        )
        parser.add_argument(
            "--prove-within",
            type=float,
            default=ALLOWED_SECONDS,
            metavar="SECONDS",
            help=f"and start anew where it takes longer than this (default {ALLOWED_SECONDS:g})",
        )

    def handle(self, **options: Any) -> None:
        readiness.demand()
        bootstrap.schedule()  # the home may have got another id since the database was prepared
        tasks.schedule()
        connections.close_all()  # what follows forks
        cluster: Any = Cluster()
        cluster.start()
        watchdog = Watchdog(this_host(), every=options["prove_every"], allowed=options["prove_within"])
        while cluster.sentinel.is_alive():
            if not watchdog.look():
                logger.critical("queue_stuck", reason="A task did not go through; the cluster is started anew.")
                _end(cluster)
                _start_anew()
            time.sleep(LOOK_SECONDS)
        if cluster.sentinel.exitcode:
            raise CommandError(f"The cluster's sentinel ended with code {cluster.sentinel.exitcode}.")


def _end(cluster: Any) -> None:
    """The sweep is told first, and has its time; what is stuck would never end by itself."""
    cluster.stop_event.set()
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and _is_at_work():
        time.sleep(LOOK_SECONDS)
    family = psutil.Process().children(recursive=True)
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


def _is_at_work() -> bool:
    """Whether checks of this host still run."""
    try:
        swept = SweepLease.objects.filter(pk=this_host(), sweep_id__isnull=False).exists()
        return swept or any(kind.objects.in_flight(this_host()).exists() for kind in kinds())
    except (DatabaseError, InterfaceError):
        return False  # what runs can write nothing down: it is asked again


def _start_anew() -> None:
    """In place, so that whoever started this process still has it."""
    connections.close_all()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
