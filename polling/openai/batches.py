"""One OpenAI batch of a polling job: what OpenAI last said of it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

MOST = 10
_ID = re.compile(r"batch_[A-Za-z0-9_-]+")
MAX_ID_LENGTH = 255


class BatchStatus(models.TextChoices):
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @classmethod
    def of(cls, answered: str) -> "BatchStatus":
        """OpenAI also says validating, finalizing and cancelling, and may say more one day: none of it is an end."""
        return cls(answered) if answered in FINAL else cls.IN_PROGRESS


FINAL = (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.CANCELLED, BatchStatus.EXPIRED)
UNSUCCESSFUL = FINAL[1:]


def check_count(batch_ids: Sequence[object]) -> None:
    """Raises ValidationError."""
    if not 1 <= len(batch_ids) <= MOST:
        raise ValidationError(f"A job has 1 to {MOST} batches.", "count")


def check_ids(batch_ids: Sequence[str]) -> None:
    """Raises ValidationError."""
    check_count(batch_ids)
    for batch_id in batch_ids:
        if len(batch_id) > MAX_ID_LENGTH or not _ID.fullmatch(batch_id):
            message = (
                f"{batch_id[:50]!r} is no batch id: batch_ and then letters, digits, _ and -, at most 255 characters."
            )
            raise ValidationError(message, "batch_id")
    if len(set(batch_ids)) < len(batch_ids):
        raise ValidationError("A batch is named twice.", "duplicate")


class BatchQuerySet(models.QuerySet["Batch"]):
    def answered(self, statuses: Mapping[str, str], *, now: datetime) -> None:
        """``statuses``: by batch id. A batch that has ended stays as it is."""
        for batch_id, status in statuses.items():
            ended = now if status in FINAL else None
            rows = self.filter(batch_id=batch_id).exclude(status__in=FINAL)
            rows.update(status=status, completed_at=ended)


class Batch(models.Model):
    job = models.ForeignKey("polling.PollingJob", models.CASCADE, related_name="batches", editable=False)
    batch_id = models.CharField(max_length=MAX_ID_LENGTH, editable=False)
    status = models.CharField(max_length=50, choices=BatchStatus, default=BatchStatus.IN_PROGRESS, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)

    objects = BatchQuerySet.as_manager()

    class Meta:
        db_table = "batches"
        verbose_name_plural = "batches"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["job", "batch_id"], name="one_batch_per_job")]

    def __str__(self) -> str:
        return self.batch_id

    @property
    def final(self) -> bool:
        return self.status in FINAL
