"""The tables of this app."""

import os
import uuid
from datetime import datetime, timedelta

import psutil
from django.db import models, transaction

from polling.batches import Batch
from polling.deliveries import Delivery, DeliveryAttempt, DeliveryStatus
from polling.groups import JobGroup
from polling.members import GroupMember
from polling.polling_job import PollingJob, PollingLog

__all__ = [
    "Batch",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "GroupMember",
    "JobGroup",
    "PollingJob",
    "PollingLog",
    "SweepLease",
]

LEASE_SECONDS = 15


class SweepLease(models.Model):
    """Who sweeps on a host: one process at a time, and only while its heartbeat is fresh."""

    host = models.CharField(primary_key=True, max_length=255)
    sweep_id = models.UUIDField(null=True)
    pid = models.PositiveIntegerField(null=True)
    process_started = models.FloatField(null=True)
    heartbeat_at = models.DateTimeField()

    class Meta:
        db_table = "sweep_leases"

    def __str__(self) -> str:
        return self.host

    def held(self, now: datetime) -> bool:
        if self.sweep_id is None or self.heartbeat_at < now - timedelta(seconds=LEASE_SECONDS):
            return False
        return self._process_lives()

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
                sweep_id=sweep_id, pid=os.getpid(), process_started=started, heartbeat_at=now
            )
        return True

    @classmethod
    def renew(cls, host: str, *, sweep_id: uuid.UUID, now: datetime) -> bool:
        return bool(cls.objects.filter(pk=host, sweep_id=sweep_id).update(heartbeat_at=now))

    @classmethod
    def leave(cls, host: str, *, sweep_id: uuid.UUID) -> None:
        cls.objects.filter(pk=host, sweep_id=sweep_id).update(sweep_id=None)
