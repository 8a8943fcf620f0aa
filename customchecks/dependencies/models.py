"""Which sets of dependencies there are, and who installs or uses them."""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

LEASE_SECONDS = 30  # an installer renews its lease; a dead one's set is free after this
RETRY_SECONDS = 300  # after a first failure; every further one doubles it
RETRY_CAP_SECONDS = 6 * 3600
USE_TOLERANCE_SECONDS = 60


class SetState(models.TextChoices):
    INSTALLING = "installing"
    READY = "ready"
    FAILED = "failed"


class DependencySetQuerySet(models.QuerySet["DependencySet"]):
    def claimable(self, now: datetime, *, circumstances: str) -> Self:
        abandoned = Q(state=SetState.INSTALLING, lease_until__lt=now)
        again = Q(retry_at__lte=now) | ~Q(circumstances=circumstances)
        return self.filter(abandoned | Q(again, state=SetState.FAILED))

    def outdated(self, engine: str, *, circumstances: str) -> Self:
        """Failures under settings that hold no more."""
        return self.filter(state=SetState.FAILED, engine=engine).exclude(circumstances=circumstances)

    def ready(self, engine: str) -> Self:
        return self.filter(state=SetState.READY, engine=engine)

    def unused(self, now: datetime) -> Self:
        return self.filter(used_until__lt=now)


class DependencySet(models.Model):
    """One set on one engine. ``size`` is bytes; until ``used_until`` some check may still mount ``volume``.

    ``circumstances`` stands for the settings of the last attempt: a failure under other ones says nothing.

    Only a set in the state "ready" is ever mounted. Every attempt at installing has a volume of its own, so what a dead
    installer has left, or a slow one still writes, is never part of it.
    """

    key = models.CharField(primary_key=True, max_length=64)
    engine = models.CharField(max_length=100)
    runtime = models.CharField(max_length=20)
    state = models.CharField(max_length=20, choices=SetState)
    volume = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField(default=0)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    circumstances = models.CharField(max_length=64, blank=True)
    installer = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    check_id = models.CharField(max_length=64, blank=True)
    installed_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    used_until = models.DateTimeField(null=True)

    objects = DependencySetQuerySet.as_manager()

    class Meta:
        db_table = "dependency_sets"
        indexes = [models.Index(fields=["engine", "last_used_at"], name="idx_dependency_set_used")]

    def __str__(self) -> str:
        return self.key[:12]

    @classmethod
    def take(cls, key: str, *, engine: str, runtime: str, check_id: str, circumstances: str = "") -> uuid.UUID | None:
        """The right to install the set, or None: it is there, has failed, or somebody else installs it."""
        now, installer = timezone.now(), uuid.uuid4()
        values = {
            "state": SetState.INSTALLING,
            "volume": cls.volume_name(key, installer),
            "installer": installer,
            "lease_until": now + timedelta(seconds=LEASE_SECONDS),
            "check_id": check_id,
            "circumstances": circumstances,
        }
        _, created = cls.objects.get_or_create(key=key, defaults={"engine": engine, "runtime": runtime, **values})
        if not created:  # the pauses begin anew, too
            cls.objects.filter(key=key, state=SetState.FAILED).exclude(circumstances=circumstances).update(failures=0)
        free = cls.objects.filter(key=key).claimable(now, circumstances=circumstances)
        taken = created or free.update(**values)
        return installer if taken else None

    @staticmethod
    def volume_name(key: str, installer: uuid.UUID) -> str:
        return f"teckochecker-deps-{key[:16]}-{installer.hex[:8]}"

    @classmethod
    def use(cls, key: str, *, seconds: float) -> str:
        """Keeps the set from eviction for so long, a minute more or less; its volume, or "" where it is not ready.

        Most checks only read: a set that was used within the last minute is not written to again.
        """
        now = timezone.now()
        until, tolerance = now + timedelta(seconds=seconds), timedelta(seconds=USE_TOLERANCE_SECONDS)
        ready = cls.objects.filter(key=key, state=SetState.READY)
        found = ready.values_list("volume", "used_until", "last_used_at").first()
        if found is None:
            return ""
        volume, used_until, last_used_at = found
        if used_until and last_used_at and used_until >= until - tolerance and last_used_at > now - tolerance:
            return str(volume)
        ready = ready.filter(volume=volume)
        written = ready.filter(Q(used_until=None) | Q(used_until__lt=until)).update(last_used_at=now, used_until=until)
        return str(volume) if written or ready.update(last_used_at=now) else ""

    @classmethod
    def renew(cls, key: str, installer: uuid.UUID) -> None:
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        cls.objects.filter(key=key, installer=installer).update(lease_until=until)

    @classmethod
    def installed(cls, key: str, installer: uuid.UUID, *, size: int, log: str, seconds: float) -> bool:
        """Ready from now on, and in use for so long. False where the lease was lost to somebody else."""
        now = timezone.now()
        return bool(
            cls.objects.filter(key=key, installer=installer).update(
                state=SetState.READY,
                size=size,
                log=log,
                error="",
                failures=0,
                retry_at=None,
                installer=None,
                installed_at=now,
                last_used_at=now,
                used_until=now + timedelta(seconds=seconds),
            )
        )

    @classmethod
    def failed(cls, key: str, installer: uuid.UUID, *, error: str, log: str) -> None:
        mine = cls.objects.filter(key=key, installer=installer)
        failures = mine.values_list("failures", flat=True).first() or 0
        pause = timedelta(seconds=min(RETRY_SECONDS * 2 ** min(failures, 20), RETRY_CAP_SECONDS))
        mine.update(
            state=SetState.FAILED,
            error=error,
            log=log,
            failures=F("failures") + 1,
            retry_at=timezone.now() + pause,
            installer=None,
        )

    @classmethod
    def forget(cls, key: str, *, volume: str) -> None:
        """The set is gone from the engine, or was never there for a reason that says nothing about it."""
        cls.objects.filter(key=key, volume=volume).delete()

    def summary(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "key": self.key,
            "state": self.state,
            "size": self.size,
            "last_used_at": self.last_used_at,
            "error": self.error,
        }
