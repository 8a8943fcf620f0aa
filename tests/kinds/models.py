"""A third kind of job, in the tests only: its checks answer what a test put into ``answers``."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import models

from polling.base.results import CheckResult
from polling.jobs.scheduling import Claim, ScheduledJob
from polling.outbox.deliveries import DeliveryDraft


class ScriptedJob(ScheduledJob):
    kind: ClassVar[str] = "scripted"
    runner: ClassVar[str] = "tests.kinds.runner.ScriptedRunner"

    answers = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    memory_mb = models.PositiveIntegerField(default=0)

    def write_log(self, claim: Claim, result: CheckResult, now: datetime) -> None:
        ScriptedLog.objects.create(
            job=self, check_id=claim.check_id, verdict=result.verdict, cause=result.cause or "", created_at=now
        )

    def deliveries(self, result: CheckResult, now: datetime) -> list[DeliveryDraft]:
        return [self._draft("check.ended", result)]

    def alert(self, result: CheckResult, now: datetime) -> list[DeliveryDraft]:
        return [self._draft("alert" if self.alerting else "recovered", result, occurrence=self.alert_count)]

    def _draft(self, event: str, result: CheckResult, *, occurrence: int = 1) -> DeliveryDraft:
        payload: dict[str, Any] = {
            "job_id": self.pk,
            "check_status": result.verdict.value,
            "cause": result.cause,
            "check_message": result.message,
        }
        url = "https://hooks.example.com/"
        return DeliveryDraft(
            channel="webhook", event=event, url=url, method="POST", payload=payload, occurrence=occurrence
        )


class ScriptedLog(models.Model):
    job = models.ForeignKey(ScriptedJob, models.CASCADE, related_name="logs")
    check_id = models.UUIDField(unique=True)
    verdict = models.CharField(max_length=20)
    cause = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.verdict
