"""A job that watches OpenAI batches, and calls a webhook, starts a Keboola job or both when all of them have ended."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.utils import timezone

from polling.base.results import CheckResult, LastAnswer, Verdict
from polling.channels import alerts, keboola, notices
from polling.channels.keboola import stack_url as stack_url
from polling.jobs.limits import between
from polling.jobs.scheduling import Claim, JobStatus, ScheduledJob
from polling.openai import ranges
from polling.openai.batches import UNSUCCESSFUL, Batch, BatchStatus
from polling.openai.declared import OPENAI
from polling.outbox import webhook_fields
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome
from polling.outbox.webhook_fields import WebhookMethod
from secrets_app.models import Secret
from teckochecker.kit.declared import Table

COMPLETED_WITH_FAILURES = "completed_with_failures"
STATUSES = (*JobStatus.choices, (COMPLETED_WITH_FAILURES, "Completed with failures"))
OUTCOMES = {Verdict.SUCCESS: JobStatus.COMPLETED.value, Verdict.FAILED: COMPLETED_WITH_FAILURES}
NO_NUL = ProhibitNullCharactersValidator()


class PollingJob(ScheduledJob):
    """With Keboola it waits, when its batches have ended, for what Keboola answers: still active, without a next check.

    ``outcome`` is the status that it then gets. Without Keboola it gets that at once.
    """

    kind: ClassVar[str] = "openai"
    runner: ClassVar[str] = "polling.openai.check.OpenAIRunner"
    declared: ClassVar[Table] = OPENAI
    ended: ClassVar[Sequence[str]] = (JobStatus.COMPLETED, COMPLETED_WITH_FAILURES, JobStatus.FAILED)

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")
    status = models.CharField(max_length=50, choices=STATUSES, default=JobStatus.ACTIVE, editable=False)
    outcome = models.CharField(max_length=50, blank=True, editable=False)
    poll_interval_seconds = models.PositiveIntegerField(
        default=ranges.INTERVAL_SECONDS.default, validators=between(ranges.INTERVAL_SECONDS)
    )
    # The grant protects a secret that is in use
    openai_secret = models.ForeignKey(Secret, models.SET_NULL, null=True, editable=False, related_name="+")
    keboola_secret = models.ForeignKey(Secret, models.SET_NULL, null=True, editable=False, related_name="+")
    keboola_stack_url = models.CharField(max_length=500, null=True, blank=True, validators=[stack_url])
    keboola_component_id = models.CharField(max_length=255, null=True, blank=True, validators=[NO_NUL])
    keboola_configuration_id = models.CharField(max_length=255, null=True, blank=True, validators=[NO_NUL])
    webhook_url = models.CharField(max_length=500, null=True, blank=True)
    webhook_method = models.CharField(max_length=10, choices=WebhookMethod, default=WebhookMethod.POST)
    webhook_headers = models.JSONField(null=True, blank=True, validators=[webhook_fields.webhook_headers])
    webhook_query_params = models.JSONField(null=True, blank=True, validators=[webhook_fields.webhook_query_params])
    webhook_signing_secrets = models.JSONField(
        default=list, blank=True, validators=[webhook_fields.webhook_signing_secrets]
    )
    alert_url = models.CharField(max_length=500, null=True, blank=True)

    class Meta:
        db_table = "polling_jobs"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["status"], name="idx_polling_job_status"),
            models.Index(fields=["next_check_at"], name="idx_polling_job_next_check"),
        ]

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Whether somebody may use its secrets is known where they ask."""
        super().clean_fields({*(exclude or ()), "openai_secret", "keboola_secret"})

    def not_runnable(self) -> str:
        if self.outcome and self.status not in self.ended:
            return "The batches of this job have ended: it waits for Keboola."
        return ""

    def recorded_fields(self, result: CheckResult) -> dict[str, Any]:
        return {"outcome": OUTCOMES[result.verdict]} if result.verdict.terminal else {}

    def restarted_fields(self) -> dict[str, Any]:
        return {"outcome": ""}

    def ends_as(self, result: CheckResult) -> str | None:
        return None if self.keboola_stack_url else OUTCOMES[result.verdict]

    def calls_at_its_end(self) -> Sequence[str]:
        return notices.calls(self)

    def own_alert_url(self) -> str:
        return self.alert_url or ""

    def write_log(self, claim: Claim, result: CheckResult, now: datetime) -> None:
        """The batches too: what was learnt of them must not be without its log."""
        if result.cause is not None and result.cause.gave_up:
            self.log("failed", result.message, claim=claim, now=now)
            return
        asked: dict[str, str] = result.data.get("batches", {})
        Batch.objects.filter(job=self).answered(asked, now=now)
        self.log("checking", f"Checking {self.batches.count()} batches.", claim=claim, now=claim.claimed_at)
        status = {Verdict.SUCCESS: "completed"}.get(result.verdict, result.verdict.lower())
        self.log(status, result.message, claim=claim, now=now)

    def last_answer(self) -> LastAnswer:
        newest = self.logs.first()
        return LastAnswer(
            message=newest.message if newest else "",
            data=self._statuses(),
            cause=self.failure_cause,
        )

    def log(self, status: str, message: str, *, claim: Claim | None = None, now: datetime) -> None:
        check_id = claim.check_id if claim else None
        PollingLog.objects.create(job=self, check_id=check_id, status=status, message=message, created_at=now)

    def deliveries(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        """Keboola is not called where the job was given up: its batches have not ended."""
        told = notices.of_the_end(self, replace(result, data=self._statuses()), now)
        return [*told, self._start()] if result.verdict.terminal and self.keboola_stack_url else told

    def _statuses(self) -> dict[str, Any]:
        """Of all batches: a check has asked only about those that had not ended."""
        return {"batches": {batch.batch_id: batch.status for batch in self.batches.all()}}

    def _start(self) -> DeliveryDraft:
        batches = list(self.batches.all())
        completed = [batch.batch_id for batch in batches if batch.status == BatchStatus.COMPLETED]
        failed = [batch.batch_id for batch in batches if batch.status in UNSUCCESSFUL]
        return keboola.start(
            stack_url=self.keboola_stack_url or "",
            component=self.keboola_component_id or "",
            configuration=self.keboola_configuration_id or "",
            token=f"secret_ref:{self.keboola_secret_id}",
            variables=keboola.batch_variables(completed, failed),
        )

    def alert(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        return notices.of_errors(self, result, now)

    def call_settled(self, delivery: Delivery, outcome: Outcome, *, now: datetime) -> Sequence[DeliveryDraft]:
        """Ends the job, which has waited for this; somebody is told, once for each time that it was sent."""
        if outcome.delivered:
            number = keboola.job_number(outcome.answer)
            self.log("triggered", f"Keboola started a job{f': {number}' if number else ''}.", now=now)
            self.conclude(self.outcome, now=now)
            return ()
        again = f" Next attempt at {delivery.next_attempt_at:%H:%M:%S} UTC." if delivery.next_attempt_at else ""
        self.log("error", f"{outcome.error}{again}", now=now)
        cause = keboola.cause(outcome)
        if delivery.next_attempt_at or not self.conclude(JobStatus.FAILED, cause=cause, now=now):
            return ()
        result = CheckResult(verdict=Verdict.ERROR, message=delivery.last_error, data=self._statuses())
        payload = notices.payload(self, result, now) | {"cause": cause}
        return notices.alert(self, alerts.GAVE_UP, payload, occurrence=delivery.attempts)


class PollingLog(models.Model):
    """``check_id`` is None where Keboola was called and no batch was asked about."""

    class Status(models.TextChoices):
        CHECKING = "checking"
        PENDING = "pending"
        COMPLETED = "completed"
        FAILED = "failed"
        ERROR = "error"
        TRIGGERED = "triggered"

    job = models.ForeignKey(PollingJob, models.CASCADE, related_name="logs", editable=False)
    check_id = models.UUIDField(null=True, editable=False)
    status = models.CharField(max_length=50, choices=Status, editable=False)
    message = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "polling_logs"
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["job", "created_at"], name="idx_polling_log_job_created")]

    def __str__(self) -> str:
        return f"{self.status} at {self.created_at:%Y-%m-%d %H:%M:%S}"
