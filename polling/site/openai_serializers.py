"""Jobs that watch batches as the API and the command line take and show them."""

from typing import Any

from rest_framework import serializers

from polling.openai import batches, service
from polling.openai.batches import Batch, BatchStatus
from polling.openai.declared import OPENAI
from polling.openai.models import PollingJob, PollingLog
from polling.outbox.webhook_fields import WebhookMethod
from teckochecker.kit.api.rest import ChoiceField, TextField, WholeNumberField
from teckochecker.kit.declared_serializer import DeclaredSerializer

WEBHOOK: dict[str, Any] = {
    "webhook_url": "https://hooks.example.com/batches",
    "webhook_method": "POST",
    "webhook_headers": {"Authorization": "Bearer secret_ref:hook"},
    "webhook_query_params": None,
    "webhook_signing_secrets": [],
    "alert_url": None,
}
NEW_POLLING_JOB: dict[str, Any] = {**OPENAI.example(), "batch_ids": ["batch_67a1"], "openai_secret_id": 1}
# The fields, in their order, and what they may look like
BATCH = {
    "id": 5,
    "batch_id": "batch_67a1",
    "status": "in_progress",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
}
POLLING_JOB: dict[str, Any] = {
    "id": 3,
    "name": "nightly batch",
    "batches": [BATCH],
    "batch_count": 1,
    "completed_count": 0,
    "failed_count": 0,
    "openai_secret_id": 1,
    "openai_secret_name": "openai",
    "keboola_secret_id": 2,
    "keboola_secret_name": "keboola",
    "keboola_stack_url": "https://connection.keboola.com",
    "keboola_component_id": "kds-team.app-custom-python",
    "keboola_configuration_id": "12345",
    "poll_interval_seconds": 120,
    "status": "active",
    "last_check_at": None,
    "next_check_at": "2026-01-31T22:02:00.000000Z",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
    **WEBHOOK,
}
POLLING_LOG = {
    "id": 11,
    "job_id": 3,
    "status": "pending",
    "message": "0 of 1 batches have ended.",
    "created_at": "2026-01-31T22:02:01.000000Z",
}


class BatchSerializer(serializers.ModelSerializer[Batch]):
    class Meta:
        model = Batch
        fields = tuple(BATCH)
        read_only_fields = fields


class PollingLogSerializer(serializers.ModelSerializer[PollingLog]):
    example = POLLING_LOG
    job_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = PollingLog
        fields = tuple(POLLING_LOG)
        read_only_fields = fields


class PollingJobSerializer(serializers.ModelSerializer[PollingJob]):
    example = POLLING_JOB
    batches = BatchSerializer(many=True, read_only=True)
    batch_count = serializers.SerializerMethodField()
    completed_count = serializers.SerializerMethodField()
    failed_count = serializers.SerializerMethodField()
    openai_secret_id = serializers.IntegerField(read_only=True, allow_null=True)
    openai_secret_name = serializers.CharField(
        source="openai_secret.name", default=None, read_only=True, allow_null=True
    )
    keboola_secret_id = serializers.IntegerField(read_only=True, allow_null=True)
    keboola_secret_name = serializers.CharField(
        source="keboola_secret.name", default=None, read_only=True, allow_null=True
    )

    # Not in the answers that clients of version 0.9 know
    webhook_url = serializers.CharField(required=False, allow_null=True)
    webhook_method = ChoiceField(choices=WebhookMethod.choices, required=False)
    webhook_headers = serializers.JSONField(required=False, allow_null=True)
    webhook_query_params = serializers.JSONField(required=False, allow_null=True)
    webhook_signing_secrets = serializers.JSONField(required=False)
    alert_url = serializers.CharField(required=False, allow_null=True)

    class Meta:
        model = PollingJob
        fields = tuple(POLLING_JOB)
        read_only_fields = fields

    def to_representation(self, job: PollingJob) -> dict[str, Any]:
        """A job without a webhook and an alert address is shown as version 0.9 shows it."""
        shown = super().to_representation(job)
        return {
            name: value for name, value in shown.items() if name not in WEBHOOK or (job.webhook_url or job.alert_url)
        }

    def get_batch_count(self, job: PollingJob) -> int:
        return len(job.batches.all())

    def get_completed_count(self, job: PollingJob) -> int:
        return sum(batch.status == BatchStatus.COMPLETED for batch in job.batches.all())

    def get_failed_count(self, job: PollingJob) -> int:
        return sum(batch.status in batches.UNSUCCESSFUL for batch in job.batches.all())


class PollingJobWithLogsSerializer(PollingJobSerializer):
    """As it is shown; ``include_logs=false`` leaves the logs out."""

    example = {**POLLING_JOB, "logs": [POLLING_LOG]}
    logs = PollingLogSerializer(many=True, required=False)

    class Meta(PollingJobSerializer.Meta):
        fields = (*PollingJobSerializer.Meta.fields, "logs")


class ChangeSerializer(DeclaredSerializer[PollingJob]):
    """What changing a job takes."""

    keboola_secret_id = WholeNumberField(min_value=1, max_value=2**63 - 1, required=False, allow_null=True)

    class Meta:
        model = PollingJob
        observed: tuple[str, ...] = ()

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        return [*OPENAI.columns]


class BatchIdsField(serializers.ListField):
    """Too many are one error, and not one for each of them."""

    child = TextField()

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, list):
            batches.check_count(data)
        return super().to_internal_value(data)


class CreateSerializer(ChangeSerializer):
    """What making a job takes."""

    example = NEW_POLLING_JOB
    batch_ids = BatchIdsField()
    openai_secret_id = WholeNumberField(min_value=1, max_value=2**63 - 1)

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        return [*OPENAI.columns, *service.ONCE]


class OnceSerializer(serializers.Serializer[Any]):
    """Of what making a job takes, what is no field of it."""

    batch_ids = BatchIdsField()
    openai_secret_id = WholeNumberField(min_value=1, max_value=2**63 - 1)
