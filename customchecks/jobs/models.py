"""Custom checks: jobs whose question is a user's script, their logs, and the scripts' archives."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from customchecks.archives.script_archive import Archive
from customchecks.dependencies.detection import ScriptUse
from customchecks.dependencies.models import DependencySet as DependencySet
from customchecks.images import runtimes
from customchecks.jobs import fields, keboola_fields, notices
from customchecks.jobs.declared import JOB
from customchecks.jobs.keboola_fields import KeboolaOn
from customchecks.jobs.trials import Trial as Trial
from customchecks.sandbox.ranges import CPU_CORES, MEMORY_MB, TIMEOUT_SECONDS
from polling.base.results import CheckResult, LastAnswer
from polling.channels import notices as polling_notices
from polling.jobs.limits import between
from polling.jobs.scheduling import Claim, ScheduledJob
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome
from polling.outbox.webhook_fields import WebhookMethod
from teckochecker.kit.declared import Table


class SourceType(models.TextChoices):
    GIT = "git"
    UPLOAD = "upload"


class SourcePolicy(models.TextChoices):
    """What a check does when the newest commit cannot be had or cannot be used."""

    LAST_GOOD = "last_good"
    ERROR = "error"


class ScriptArchive(models.Model):
    """A script as it was accepted: a normalised .tgz, stored by what it holds and never changed."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    content = models.BinaryField()
    size = models.PositiveIntegerField()
    files = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "script_archives"

    def __str__(self) -> str:
        return self.sha256[:12]


class CustomCheckJob(ScheduledJob):
    kind: ClassVar[str] = "custom"
    runner: ClassVar[str] = "customchecks.checking.runner.CustomCheckRunner"
    declared: ClassVar[Table] = JOB

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+")

    tags = models.JSONField(default=list, blank=True, validators=[fields.tags])

    script_source_type = models.CharField(max_length=20, choices=SourceType)
    script_git_url = models.CharField(max_length=500, null=True, blank=True)
    script_git_branch = models.CharField(max_length=100, null=True, blank=True, default="main")
    script_git_commit = models.CharField(max_length=64, null=True, blank=True)
    script_git_path = models.CharField(max_length=200, null=True, blank=True)
    script_git_token = models.CharField(max_length=255, null=True, blank=True)
    script_source_policy = models.CharField(max_length=20, choices=SourcePolicy, default=SourcePolicy.LAST_GOOD)
    script_version_pin = models.PositiveIntegerField(null=True, editable=False)
    script_file_path = models.CharField(max_length=500, null=True, editable=False)
    script_archive = models.ForeignKey(ScriptArchive, models.PROTECT, null=True, editable=False, related_name="jobs")
    script_runtime = models.CharField(max_length=20, choices=runtimes.choices)
    script_entrypoint = models.CharField(max_length=255, blank=True)

    check_params = models.JSONField(default=dict, blank=True, validators=[fields.check_params])
    env_vars = models.JSONField(null=True, blank=True, validators=[fields.env_vars])
    timeout_seconds = models.PositiveIntegerField(default=TIMEOUT_SECONDS.default, validators=between(TIMEOUT_SECONDS))
    resource_limits = models.JSONField(null=True, blank=True, validators=[fields.resource_limits])
    allow_source_builds = models.BooleanField(
        default=False, help_text="Python packages without a wheel may be built, which runs their own code."
    )
    dependency_key = models.CharField(max_length=64, blank=True, editable=False)

    webhook_url = models.CharField(max_length=500, null=True, blank=True)
    webhook_method = models.CharField(max_length=10, choices=WebhookMethod, default=WebhookMethod.POST)
    webhook_headers = models.JSONField(null=True, blank=True, validators=[fields.webhook_headers])
    webhook_query_params = models.JSONField(null=True, blank=True, validators=[fields.webhook_query_params])
    webhook_signing_secrets = models.JSONField(default=list, blank=True, validators=[fields.webhook_signing_secrets])

    alert_url = models.CharField(max_length=500, null=True, blank=True)

    keboola_stack_url = models.CharField(max_length=500, null=True, blank=True)
    keboola_component_id = models.CharField(max_length=255, null=True, blank=True)
    keboola_configuration_id = models.CharField(max_length=255, null=True, blank=True)
    keboola_token = models.CharField(max_length=255, null=True, blank=True)
    keboola_variables = models.JSONField(null=True, blank=True, validators=[keboola_fields.keboola_variables])
    keboola_on = models.CharField(max_length=20, choices=KeboolaOn, default=KeboolaOn.SUCCESS)

    last_check_data = models.JSONField(null=True, editable=False)
    state = models.JSONField(null=True, editable=False)
    progress = models.FloatField(null=True, editable=False)

    class Meta:
        db_table = "custom_check_jobs"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["status"], name="idx_custom_check_status"),
            models.Index(fields=["next_check_at"], name="idx_custom_check_next_check"),
        ]

    def clean(self) -> None:
        self.script_entrypoint = self.script_entrypoint or runtimes.default_entrypoint(self.script_runtime)
        fields.job(self)

    @property
    def memory_mb(self) -> int:
        return int((self.resource_limits or {}).get("memory_mb", MEMORY_MB.default))

    @property
    def cpu_cores(self) -> float:
        return float((self.resource_limits or {}).get("cpu_cores", CPU_CORES.default))

    @property
    def dependencies(self) -> dict[str, Any] | None:
        """The state of what its last check needed beside the script; None where that was nothing."""
        found = DependencySet.objects.filter(key=self.dependency_key).first() if self.dependency_key else None
        return found.summary() if found else None

    def record_dependencies(self, key: str) -> None:
        if key != self.dependency_key:
            self.dependency_key = key
            CustomCheckJob._base_manager.filter(pk=self.pk).update(dependency_key=key)

    def not_runnable(self) -> str:
        if self.script_source_type == SourceType.UPLOAD and self.script_archive_id is None:
            return "The job has no script yet: upload one first."
        return ""

    @property
    def waiting_for(self) -> str | None:
        """What has to be there before the job can be checked."""
        return "script" if self.not_runnable() else None

    def recorded_fields(self, result: CheckResult) -> dict[str, Any]:
        if result.cause is not None and result.cause.ours:
            return {}
        changed: dict[str, Any] = {"last_check_data": result.data, "progress": result.progress}
        if result.state is not None:
            changed["state"] = result.state
        return changed

    def restarted_fields(self) -> dict[str, Any]:
        return {"state": None, "progress": None}

    def calls_at_its_end(self) -> Sequence[str]:
        return polling_notices.calls(self)

    def own_alert_url(self) -> str:
        return self.alert_url or ""

    def write_log(self, claim: Claim, result: CheckResult, now: datetime) -> None:
        CustomCheckLog.objects.create(
            job=self,
            check_id=claim.check_id,
            cycle=self.cycle,
            status=result.verdict.lower(),
            cause=result.cause or "",
            message=result.message,
            script_output=result.output(),
            revision=result.revision,
            version=result.version,
            source=result.source,
            source_note=result.source_note,
            timings=result.timings,
            execution_time_ms=result.execution_time_ms,
            started_at=claim.claimed_at,
            created_at=now,
        )

    def last_answer(self) -> LastAnswer:
        newest = self.logs.filter(cycle=self.cycle).first()
        if newest is None:
            return LastAnswer(cause=self.failure_cause)
        return LastAnswer(
            message=newest.message or "",
            data=self.last_check_data or {},
            cause=self.failure_cause or newest.cause,
            revision=newest.revision,
        )

    def use(self) -> ScriptUse:
        """What decides, with its archive, what has to be installed for it."""
        return ScriptUse(
            runtime=self.script_runtime,
            entrypoint=self.script_entrypoint,
            source_builds=self.allow_source_builds,
        )

    def deliveries(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        return notices.of_the_end(self, result, now)

    def call_settled(self, delivery: Delivery, outcome: Outcome, *, now: datetime) -> Sequence[DeliveryDraft]:
        return () if outcome.delivered or delivery.next_attempt_at else notices.of_keboola(self, delivery, outcome, now)

    def alert(self, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
        return polling_notices.of_errors(self, result, now)


class ScriptVersion(models.Model):
    """One archive or commit that a job could run, never changed. ``number`` counts from 1 in each job.

    ``origin`` is the repository's URL with the folder in it, ``notes`` what the archive lacks of the commit.
    """

    job = models.ForeignKey(CustomCheckJob, models.CASCADE, related_name="versions", editable=False)
    number = models.PositiveIntegerField(editable=False)
    archive = models.ForeignKey(ScriptArchive, models.PROTECT, related_name="versions", editable=False)
    source = models.CharField(max_length=20, choices=SourceType, editable=False)
    commit = models.CharField(max_length=64, blank=True, editable=False)
    origin = models.CharField(max_length=701, blank=True, editable=False)
    notes = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        db_table = "script_versions"
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="uniq_script_version_number")]

    def __str__(self) -> str:
        return f"Version {self.number}"

    @property
    def revision(self) -> str:
        return self.commit or str(self.archive_id)

    def stored_archive(self) -> Archive:
        stored = self.archive
        return Archive.stored(content=bytes(stored.content), sha256=stored.sha256, files=stored.files)


class CustomCheckLog(models.Model):
    """One check that ended. ``status`` is the verdict in lower case; ``timings`` are milliseconds.

    ``source`` is "stale" where not the newest script ran, for the reason in ``source_note``, or "pinned".
    """

    job = models.ForeignKey(CustomCheckJob, models.CASCADE, related_name="logs", editable=False)
    check_id = models.UUIDField(unique=True, editable=False)
    cycle = models.PositiveIntegerField(editable=False)
    status = models.CharField(max_length=50, editable=False)
    cause = models.CharField(max_length=50, blank=True, editable=False)
    message = models.TextField(null=True, editable=False)
    script_output = models.JSONField(null=True, editable=False)
    revision = models.CharField(max_length=64, blank=True, editable=False)
    version = models.PositiveIntegerField(null=True, editable=False)
    source = models.CharField(max_length=20, blank=True, editable=False)
    source_note = models.TextField(blank=True, editable=False)
    timings = models.JSONField(default=dict, editable=False)
    execution_time_ms = models.PositiveIntegerField(null=True, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "custom_check_logs"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["job", "created_at"], name="idx_custom_log_job_created"),
            models.Index(fields=["status"], name="idx_custom_log_status"),
        ]

    def __str__(self) -> str:
        return f"{self.status} at {self.created_at:%Y-%m-%d %H:%M:%S}"
