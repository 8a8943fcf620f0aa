"""``/api/health``: whether jobs are checked, and if not, why. Open to everybody: it names no host, path or address."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import permissions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from polling.base import clock, disk_space
from polling.jobs.registry import job_kinds
from polling.jobs.runners import Fault
from polling.outbox.deliveries import Delivery
from polling.sweep.models import LEASE_SECONDS, QueueProof, SweepLease
from polling.sweep.sweeper import this_host
from teckochecker.kit import database_errors
from teckochecker.kit.api.openapi import answer

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
PARTS = ("database", "sweep", "engine", "rules", "queue", "disk", "checks", "deliveries")
WORKS = ("ok", "degraded", "failed", "unknown", "unavailable")
FRESH = timedelta(seconds=2 * LEASE_SECONDS)
QUEUE_PATIENCE = timedelta(seconds=60)
PATIENCE = timedelta(minutes=5)  # of what is due


@dataclass(frozen=True)
class Health:
    """``faults`` of this host, or of all; ``others``: another host checks jobs and has no fault."""

    faults: Sequence[Fault]
    others: bool = False
    sweep_age: float | None = None
    checks_waiting: int | None = None
    deliveries_waiting: int | None = None

    @property
    def status(self) -> str:
        if not self.faults:
            return HEALTHY
        stopped = any(not fault.checks_run for fault in self.faults)
        elsewhere = self.others and all(fault.part != "database" for fault in self.faults)
        return UNHEALTHY if stopped and not elsewhere else DEGRADED


def examine() -> Health:
    try:
        return _examine(clock.wall())
    except (DatabaseError, InterfaceError) as error:
        trouble = database_errors.trouble(error) or database_errors.Trouble.AWAY
        return Health((Fault("database", trouble.sentence),))


def _examine(now: datetime) -> Health:
    leases = list(SweepLease.objects.filter(heartbeat_at__gte=now - FRESH, sweep_id__isnull=False))
    mine = next((lease for lease in leases if lease.pk == this_host()), None)
    faults = [*_sweep(mine, now), *_reported(mine), *_queue(now), *_disk()]
    if all(fault.checks_run for fault in faults):  # else it is known why they wait
        faults += _late("checks", _checks_due(now - PATIENCE))
    faults += _late("deliveries", Delivery.objects.due(now - PATIENCE).count())
    return Health(
        faults=list(dict.fromkeys(faults)),
        others=any(not lease.report.get("faults") for lease in leases if lease is not mine),
        sweep_age=max(0.0, (now - mine.heartbeat_at).total_seconds()) if mine else None,
        checks_waiting=_checks_due(now),
        deliveries_waiting=Delivery.objects.due(now).count(),
    )


def _sweep(mine: SweepLease | None, now: datetime) -> Iterator[Fault]:
    if mine is None:
        last = SweepLease.objects.filter(pk=this_host()).first()
        seen = f"was last seen {(now - last.heartbeat_at).total_seconds():.0f} s ago" if last else "has never run here"
        yield Fault("sweep", f"No job is checked: the sweep {seen}.")
    elif mine.elsewhere:
        yield Fault("sweep", "Another machine checks jobs under this instance's name; the log has the remedy.")


def _reported(mine: SweepLease | None) -> Iterator[Fault]:
    for fault in mine.report.get("faults", ()) if mine else ():
        yield Fault(**fault)


def _queue(now: datetime) -> Iterator[Fault]:
    proof = QueueProof.objects.filter(pk=this_host()).first()
    if proof is None or (proof.proved_at and proof.proved_at >= proof.asked_at):
        return
    if now - proof.asked_at > QUEUE_PATIENCE:
        yield Fault("queue", "Tasks do not go through the queue: the cluster has to be started anew.", checks_run=True)


def _disk() -> Iterator[Fault]:
    if disk_space.is_low(disk_space.own_places(), floor_mb=settings.TECKO_MIN_FREE_MB):
        yield Fault("disk", disk_space.FULL)


def _checks_due(when: datetime) -> int:
    return sum(kind.objects.due(when).count() for kind in job_kinds())


def _late(part: str, count: int) -> Iterator[Fault]:
    """Checks wait while others have all places, for as long as those may take."""
    if count:
        minutes = round(PATIENCE.total_seconds() / 60)
        yield Fault(part, f"{count} {part} have waited for more than {minutes} minutes.", checks_run=True)


def _shown(found: Health, at: datetime | str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "status": found.status,
        "timestamp": at,
        "version": settings.VERSION,
        "reasons": [fault.message for fault in found.faults],
        "sweep_age_seconds": None if found.sweep_age is None else round(found.sweep_age, 1),
        "checks_waiting": found.checks_waiting,
        "deliveries_waiting": found.deliveries_waiting,
    }
    faulty = {fault.part: "degraded" if fault.checks_run else "failed" for fault in reversed(found.faults)}
    body |= {part: faulty.get(part, "ok") for part in PARTS}
    if found.sweep_age is None:  # only a sweep looks at these
        body |= {part: faulty.get(part, "unknown") for part in ("engine", "rules", "queue")}
    if "database" in faulty:
        body |= dict.fromkeys(PARTS[1:], "unknown") | {"database": "unavailable"}
    return body


class HealthSerializer(serializers.Serializer[dict[str, Any]]):
    status = serializers.ChoiceField([HEALTHY, DEGRADED, UNHEALTHY])
    timestamp = serializers.DateTimeField()
    version = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())
    sweep_age_seconds = serializers.FloatField(allow_null=True)
    checks_waiting = serializers.IntegerField(allow_null=True)
    deliveries_waiting = serializers.IntegerField(allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **{part: serializers.ChoiceField(WORKS) for part in PARTS}}


AT = "2026-01-31T22:04:11.120000Z"
WELL = answer(HealthSerializer, _shown(Health((), sweep_age=0.9, checks_waiting=0, deliveries_waiting=0), AT))
AWAY = answer(HealthSerializer, _shown(Health((Fault("database", database_errors.Trouble.AWAY.sentence),)), AT))


class HealthView(APIView):
    authentication_classes = ()
    permission_classes = (permissions.AllowAny,)
    throttle_classes = ()

    @extend_schema(tags=["System"], responses={200: WELL, 503: AWAY})
    def get(self, request: Request) -> Response:
        """Tell whether the server works.

        Open to all. 503 where no job is checked, with the reasons; `degraded` where checks run, and something is amiss.
        """
        found = examine()
        bad = found.status == UNHEALTHY
        return Response(
            HealthSerializer(_shown(found, timezone.now())).data,
            status=status.HTTP_503_SERVICE_UNAVAILABLE if bad else status.HTTP_200_OK,
        )
