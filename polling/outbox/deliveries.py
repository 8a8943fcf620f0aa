"""The outbox: webhook calls that are owed.

A row is written with the transition that owes it, and leaves only by being delivered or given up.

A call whose outcome is unknown is made again, with the same id and the same body, unless its channel makes it once.
"""

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from django.db import connection, models, transaction
from django.utils import timezone

from polling.base.crash_points import Point, reach
from polling.outbox import retries
from secrets_app.access import audit

Writer = Callable[[Callable[[], bool]], bool]
CLAIM_SECONDS = 90  # an attempt is over after 20 s; a lost one is made again after this
MAX_ERROR_LENGTH = 2000
MAX_ANSWER_LENGTH = 2048
MAX_RECEIVER_LENGTH = 255


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # the receiver answered 410: it wants no more calls
    UNKNOWN = "unknown"  # made once, its outcome not seen, and not to be made twice


class Owner(Protocol):
    """What owes deliveries: a job of any kind, or a group of jobs."""

    name: Any
    cycle: Any

    @property
    def kind(self) -> str: ...

    @property
    def pk(self) -> Any: ...


class ResendRefused(Exception):
    """The message is a sentence for the caller."""


@dataclass(frozen=True, kw_only=True)
class DeliveryDraft:
    """One call to be made. Header and query values may hold ``secret_ref:…``, which is resolved when it is sent.

    ``channel`` names a row of ``polling.channels.registry``.
    ``occurrence`` tells events apart that a cycle can have several times.
    ``signing_secrets`` are such references, of one key or two. A ``test`` does not count as the cycle's own delivery.
    ``about``: the delivery that this one tells of; such a one counts by that, and not by the cycle.
    """

    channel: str
    event: str
    url: str
    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any]
    signing_secrets: Sequence[str] = ()
    occurrence: int = 1
    test: bool = False
    about: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an attempt came to. ``answer`` and ``error`` are masked; ``retry`` says whether another may do better.

    ``unknown``: the receiver may have acted on a call that cannot be made again.
    """

    started_at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str = ""
    answer: str = ""
    retry: bool = False
    unknown: bool = False
    retry_after: timedelta | None = None

    @property
    def delivered(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, now: datetime) -> Self:
        free = models.Q(claimed_until=None) | models.Q(claimed_until__lt=now)
        return self.filter(free, status=DeliveryStatus.PENDING, next_attempt_at__lte=now)


class DeliveryManager(models.Manager.from_queryset(DeliveryQuerySet)):  # type: ignore[misc]
    def open(self, draft: DeliveryDraft, *, job: Owner, now: datetime) -> "Delivery":
        """One per job, cycle, event and occurrence, tests apart: what is answered twice is not called twice."""
        delivery_id = uuid.uuid4()
        delivery: Delivery = self.create(
            id=delivery_id,
            job_kind=job.kind,
            job_id=job.pk,
            job_name=job.name,
            cycle=job.cycle,
            channel=draft.channel,
            event=draft.event,
            occurrence=draft.occurrence,
            url=draft.url,
            method=draft.method,
            headers=dict(draft.headers),
            query=dict(draft.query),
            receiver=_receiver(draft.url),
            signing_secrets=list(draft.signing_secrets),
            test=draft.test,
            about=draft.about,
            body=json.dumps({**draft.payload, "delivery_id": str(delivery_id)}, ensure_ascii=False),
            next_attempt_at=now,
            created_at=now,
        )
        return delivery

    def sign_with(self, signing_secrets: Sequence[str], *, job: Owner) -> None:
        """A job's new keys hold for what it has sent or owes already: the old ones may be gone when that is sent."""
        self.filter(job_kind=job.kind, job_id=job.pk).update(signing_secrets=list(signing_secrets))

    def give_up(self, *, job_kind: str, job_id: int, reason: str) -> None:
        """Drops what a job owes, but for a call that is just being made. What has failed of it is no news any more."""
        mine = self.filter(job_kind=job_kind, job_id=job_id)
        mine.filter(unseen=True).update(unseen=False)
        owed = mine.filter(status=DeliveryStatus.PENDING, attempt_started_at=None)
        owed.update(status=DeliveryStatus.FAILED, last_error=reason, next_attempt_at=None, claim_token=None)

    def hasten(self, now: datetime) -> None:
        """Makes the next attempt of every call that was tried in vain due now."""
        owed = self.filter(status=DeliveryStatus.PENDING, next_attempt_at__gt=now)
        owed.filter(attempts__gt=models.F("sent_before")).update(next_attempt_at=now)

    def waiting(self, *, now: datetime, without: Collection[str] = (), most: int = 1000) -> list[tuple[uuid.UUID, str]]:
        """Ids and receivers of what is due, the longest first."""
        rows = self.due(now).exclude(receiver__in=without).order_by("next_attempt_at")
        return list(rows.values_list("pk", "receiver")[:most])

    def claim(self, ids: Collection[uuid.UUID], *, now: datetime) -> "list[Delivery]":
        """Those of them that nobody else has claimed meanwhile."""
        with transaction.atomic():
            rows = self.due(now).filter(pk__in=ids)
            rows = rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
            claimed: list[Delivery] = list(rows)
            token, until = uuid.uuid4(), now + timedelta(seconds=CLAIM_SECONDS)
            mine = self.filter(pk__in=[delivery.pk for delivery in claimed])
            mine.update(claim_token=token, claimed_until=until)
        for delivery in claimed:
            delivery.claim_token, delivery.claimed_until = token, until
        return claimed


def at_once(action: Callable[[], bool]) -> bool:
    """A ``Writer`` that does not wait for a database that is away."""
    return action()


def _receiver(url: str) -> str:
    return urlsplit(url).netloc.lower()[:MAX_RECEIVER_LENGTH]


class Delivery(models.Model):
    id = models.UUIDField(primary_key=True, editable=False)
    job_kind = models.CharField(max_length=50, editable=False)
    job_id = models.BigIntegerField(editable=False)
    job_name = models.CharField(max_length=255, editable=False)
    cycle = models.PositiveIntegerField(editable=False)
    channel = models.CharField(max_length=50, editable=False)
    event = models.CharField(max_length=50, editable=False)
    occurrence = models.PositiveIntegerField(default=1, editable=False)
    url = models.CharField(max_length=500, editable=False)
    method = models.CharField(max_length=10, editable=False)
    headers = models.JSONField(default=dict, editable=False)
    query = models.JSONField(default=dict, editable=False)
    receiver = models.CharField(max_length=MAX_RECEIVER_LENGTH, blank=True, default="", editable=False)
    signing_secrets = models.JSONField(default=list, editable=False)
    test = models.BooleanField(default=False, editable=False)
    about = models.UUIDField(null=True, editable=False)
    attempt_started_at = models.DateTimeField(null=True, editable=False)
    body = models.TextField(editable=False)
    status = models.CharField(max_length=20, choices=DeliveryStatus, default=DeliveryStatus.PENDING, editable=False)
    # It has ended without being delivered, and nobody has sent it again or said that they know
    unseen = models.BooleanField("not delivered, unseen", default=False, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    sent_before = models.PositiveIntegerField(default=0, editable=False)
    last_status_code = models.PositiveIntegerField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)

    objects = DeliveryManager()

    class Meta:
        db_table = "deliveries"
        verbose_name_plural = "deliveries"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["job_kind", "job_id", "cycle", "event", "occurrence"],
                condition=models.Q(test=False, about=None),
                name="one_delivery_per_cycle_and_event",
            ),
            models.UniqueConstraint(fields=["about", "occurrence"], name="one_alert_per_end_of_a_delivery"),
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="idx_delivery_due"),
            models.Index(fields=["unseen"], condition=models.Q(unseen=True), name="idx_delivery_unseen"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    @property
    def lost(self) -> bool:
        """Not delivered, and not to be tried again by itself."""
        return self.status in (DeliveryStatus.FAILED, DeliveryStatus.GONE, DeliveryStatus.UNKNOWN)

    def begin(self, now: datetime) -> bool:
        """Writes down that the call is about to be made, under a new token: a doubled attempt finds nothing to do.

        False where another attempt was faster. A delivery that is claimed and has ``attempt_started_at`` is one whose
        attempt was lost.
        """
        mine = type(self).objects.filter(pk=self.pk, claim_token=self.claim_token, attempt_started_at=None)
        begun = mine.exclude(claim_token=None).update(attempt_started_at=now, claim_token=uuid.uuid4())
        self.refresh_from_db()
        return bool(begun)

    def settle(self, outcome: Outcome, *, now: datetime) -> bool:
        """False where another attempt has taken this one's place: then nothing is changed."""
        mine = type(self).objects.filter(pk=self.pk, claim_token=self.claim_token)
        with transaction.atomic():
            settled = mine.update(
                attempts=models.F("attempts") + 1,
                claim_token=None,
                claimed_until=None,
                attempt_started_at=None,
                last_status_code=outcome.status_code,
                last_error=outcome.error[:MAX_ERROR_LENGTH],
                **self._after(outcome, now),
            )
            self.refresh_from_db()
            reach(Point.DELIVERY_COUNTED)
            if settled:
                self._write_down(outcome)
        return bool(settled)

    @transaction.atomic
    def resend(self) -> None:
        """The same call, id and body, from the start of the times. Raises ResendRefused."""
        ended = type(self).objects.filter(pk=self.pk).exclude(status=DeliveryStatus.PENDING)
        resent = ended.update(
            status=DeliveryStatus.PENDING,
            next_attempt_at=timezone.now(),
            sent_before=models.F("attempts"),
            last_error="",
            unseen=False,
        )
        self.refresh_from_db()
        if not resent:
            raise ResendRefused("The delivery is still pending: it is sent without being asked.")
        audit.note(self, "sent again")

    def _after(self, outcome: Outcome, now: datetime) -> dict[str, Any]:
        if outcome.delivered:
            return {"status": DeliveryStatus.DELIVERED, "delivered_at": now, "next_attempt_at": None}
        ended = {"next_attempt_at": None, "unseen": not self.test}
        if outcome.unknown:
            return {"status": DeliveryStatus.UNKNOWN, **ended}
        failed = self.attempts - self.sent_before + 1
        again = retries.next_attempt(failed, now=now, retry_after=outcome.retry_after) if outcome.retry else None
        if again:
            return {"next_attempt_at": again}
        gone = outcome.status_code == 410
        return {"status": DeliveryStatus.GONE if gone else DeliveryStatus.FAILED, **ended}

    def _write_down(self, outcome: Outcome) -> None:
        DeliveryAttempt.objects.create(
            delivery=self,
            number=self.attempts,
            started_at=outcome.started_at,
            status_code=outcome.status_code,
            duration_ms=outcome.duration_ms,
            error=outcome.error[:MAX_ERROR_LENGTH],
            answer=outcome.answer[:MAX_ANSWER_LENGTH],
        )


class DeliveryAttempt(models.Model):
    """One call. ``answer`` is how the receiver's body began; it and ``error`` are masked."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempt_rows", editable=False)
    number = models.PositiveIntegerField(editable=False)
    started_at = models.DateTimeField(editable=False)
    status_code = models.PositiveIntegerField(null=True, editable=False)
    duration_ms = models.PositiveIntegerField(editable=False)
    error = models.TextField(blank=True, editable=False)
    answer = models.TextField(blank=True, editable=False)

    class Meta:
        db_table = "delivery_attempts"
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="one_row_per_attempt")]

    def __str__(self) -> str:
        return f"attempt {self.number}"
