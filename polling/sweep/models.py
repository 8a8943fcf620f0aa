"""Who sweeps on which host, and whether its queue runs anything."""

import os
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from django.db import models, transaction

LEASE_SECONDS = 15
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROCESS_NUMBERS = Path("/proc/self/ns/pid")


def this_place() -> str:
    """The running system and its process numbers: only who is in the same place can tell whether a process lives.

    A machine that was cloned runs another system, and a container has other numbers.
    """
    return f"{BOOT_ID.read_text().strip()} {PROCESS_NUMBERS.stat().st_ino}"


class SweepLease(models.Model):
    """Who sweeps on a host: one process at a time, and only while its heartbeat is fresh.

    ``report`` is what the sweep has found out of its host, for those who cannot look themselves; ``circumstances``
    stands for the settings that it runs with.
    """

    host = models.CharField(primary_key=True, max_length=255)
    sweep_id = models.UUIDField(null=True)
    pid = models.PositiveIntegerField(null=True)
    process_started = models.FloatField(null=True)
    place = models.CharField(max_length=80, default="")
    heartbeat_at = models.DateTimeField()
    report = models.JSONField(default=dict)
    circumstances = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "sweep_leases"

    def __str__(self) -> str:
        return self.host

    def held(self, now: datetime) -> bool:
        if self.sweep_id is None or self.heartbeat_at < now - timedelta(seconds=LEASE_SECONDS):
            return False
        return self.place != this_place() or self._process_lives()

    @property
    def elsewhere(self) -> bool:
        """Whether it is another machine's, which has the same name: a clone, or its original."""
        return bool(self.place) and self.place.split()[0] != this_place().split()[0]

    def _process_lives(self) -> bool:
        try:
            return self.pid is not None and psutil.Process(self.pid).create_time() == self.process_started
        except psutil.NoSuchProcess:
            return False

    @classmethod
    def take(cls, host: str, *, sweep_id: uuid.UUID, now: datetime) -> bool:
        """False while a living process holds this host's lease."""
        with transaction.atomic():
            lease, _ = cls.objects.select_for_update().get_or_create(host=host, defaults={"heartbeat_at": now})
            if lease.held(now):
                return False
            started = psutil.Process().create_time()
            cls.objects.filter(pk=host).update(
                sweep_id=sweep_id, pid=os.getpid(), process_started=started, place=this_place(), heartbeat_at=now
            )
        return True

    @classmethod
    def renew(cls, host: str, *, sweep_id: uuid.UUID, now: datetime, report: Mapping[str, Any]) -> bool:
        return bool(cls.objects.filter(pk=host, sweep_id=sweep_id).update(heartbeat_at=now, report=report))

    @classmethod
    def leave(cls, host: str, *, sweep_id: uuid.UUID) -> None:
        cls.objects.filter(pk=host, sweep_id=sweep_id).update(sweep_id=None)


class QueueProof(models.Model):
    """When a task of a host's queue was last asked for, and when one was last seen done."""

    host = models.CharField(primary_key=True, max_length=255)
    asked_at = models.DateTimeField()
    proved_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "queue_proofs"

    def __str__(self) -> str:
        return self.host
