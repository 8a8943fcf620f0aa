"""The outbox: webhook calls that are owed.

A row is written with the transition that owes it, and leaves only by being delivered or given up.

At least once: a call whose outcome is unknown is made again, with the same ``webhook-id`` and the same body.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import connection, models, transaction
from django.utils import timezone

if TYPE_CHECKING:
    from polling.scheduling import ScheduledJob

# Seconds after each failed attempt: the quick ones of the product document, then for 27 hours
RETRY_SECONDS = (1, 2, 4, 300, 1800, 7200, 18000, 36000, 36000)
CLAIM_SECONDS = 90  # an attempt is over after 20 s; a lost one is made again after this
MAX_ERROR_LENGTH = 2000


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"  # made once, its outcome not seen, and not to be made twice


@dataclass(frozen=True, kw_only=True)
class DeliveryDraft:
    """One call to be made. Header and query values may hold ``secret_ref:…``, which is resolved when it is sent.

    ``at_most_once``: the receiver cannot tell a call from its repetition, so one without a known outcome is the last.
    """

    event: str
    url: str
    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any]
    at_most_once: bool = False


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, now: datetime) -> Self:
        free = models.Q(claimed_until=None) | models.Q(claimed_until__lt=now)
        return self.filter(free, status=DeliveryStatus.PENDING, next_attempt_at__lte=now)


class DeliveryManager(models.Manager.from_queryset(DeliveryQuerySet)):  # type: ignore[misc]
    def open(self, draft: DeliveryDraft, *, job: "ScheduledJob", now: datetime) -> "Delivery":
        """One per job, cycle and event: a second answer for the same cycle cannot make a second call."""
        delivery_id = uuid.uuid4()
        delivery: Delivery = self.create(
            id=delivery_id,
            job_kind=job.kind,
            job_id=job.pk,
            job_name=job.name,
            cycle=job.cycle,
            event=draft.event,
            url=draft.url,
            method=draft.method,
            headers=dict(draft.headers),
            query=dict(draft.query),
            body=json.dumps({**draft.payload, "delivery_id": str(delivery_id)}, ensure_ascii=False),
            at_most_once=draft.at_most_once,
            next_attempt_at=now,
            created_at=now,
        )
        return delivery

    def give_up(self, *, job_kind: str, job_id: int, reason: str) -> None:
        """Drops what a job owes, but for a call that is just being made."""
        owed = self.filter(job_kind=job_kind, job_id=job_id, status=DeliveryStatus.PENDING, attempt_started_at=None)
        owed.update(status=DeliveryStatus.FAILED, last_error=reason, next_attempt_at=None, claim_token=None)

    def claim_due(self, *, now: datetime, limit: int = 50) -> "Sequence[tuple[Delivery, uuid.UUID]]":
        if not self.due(now).exists():
            return []
        with transaction.atomic():
            rows = self.due(now).order_by("next_attempt_at")
            rows = rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
            return [(delivery, delivery.claim(now)) for delivery in rows[:limit]]


class Delivery(models.Model):
    id = models.UUIDField(primary_key=True, editable=False)
    job_kind = models.CharField(max_length=50, editable=False)
    job_id = models.BigIntegerField(editable=False)
    job_name = models.CharField(max_length=255, editable=False)
    cycle = models.PositiveIntegerField(editable=False)
    event = models.CharField(max_length=50, editable=False)
    url = models.CharField(max_length=500, editable=False)
    method = models.CharField(max_length=10, editable=False)
    headers = models.JSONField(default=dict, editable=False)
    query = models.JSONField(default=dict, editable=False)
    body = models.TextField(editable=False)
    status = models.CharField(max_length=20, choices=DeliveryStatus, default=DeliveryStatus.PENDING, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    last_status_code = models.PositiveIntegerField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    at_most_once = models.BooleanField(default=False, editable=False)
    attempt_started_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)

    objects = DeliveryManager()

    class Meta:
        db_table = "deliveries"
        verbose_name_plural = "deliveries"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["job_kind", "job_id", "cycle", "event"], name="one_delivery_per_cycle_and_event"
            )
        ]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="idx_delivery_due")]

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    def claim(self, now: datetime) -> uuid.UUID:
        token = uuid.uuid4()
        self.claim_token, self.claimed_until = token, now + timedelta(seconds=CLAIM_SECONDS)
        self.save(update_fields=["claim_token", "claimed_until"])
        return token

    def begin(self, now: datetime) -> bool:
        """Writes down that the call is about to be made, under a new token: a doubled task finds nothing to do.

        False where another attempt was faster. A delivery that is claimed and has ``attempt_started_at`` is one whose
        attempt was lost.
        """
        token = uuid.uuid4()
        mine = type(self).objects.filter(pk=self.pk, claim_token=self.claim_token, attempt_started_at=None)
        begun = mine.exclude(claim_token=None).update(attempt_started_at=now, claim_token=token)
        self.refresh_from_db()
        return bool(begun)

    def outcome_unknown(self, error: str) -> bool:
        return self._settle(status=DeliveryStatus.UNKNOWN, last_error=error[:MAX_ERROR_LENGTH], next_attempt_at=None)

    def succeeded(self, status_code: int, *, now: datetime) -> bool:
        return self._settle(
            status=DeliveryStatus.DELIVERED,
            last_status_code=status_code,
            last_error="",
            delivered_at=now,
            next_attempt_at=None,
        )

    def attempt_failed(self, error: str, *, status_code: int | None, retry: bool, now: datetime) -> bool:
        again = retry and self.attempts < len(RETRY_SECONDS)
        return self._settle(
            status=DeliveryStatus.PENDING if again else DeliveryStatus.FAILED,
            last_status_code=status_code,
            last_error=error[:MAX_ERROR_LENGTH],
            next_attempt_at=now + timedelta(seconds=RETRY_SECONDS[self.attempts]) if again else None,
        )

    def _settle(self, **changes: Any) -> bool:
        """False where another attempt has taken this one's place: then nothing is changed."""
        mine = type(self).objects.filter(pk=self.pk, claim_token=self.claim_token)
        released = {"claim_token": None, "claimed_until": None, "attempt_started_at": None}
        settled = mine.update(attempts=models.F("attempts") + 1, **released, **changes)
        self.refresh_from_db()
        return bool(settled)
