"""Jobs and logs as the API shows them, with the product's field names."""

from typing import Any

from rest_framework import serializers

from customchecks import fields
from customchecks.models import CustomCheckJob, CustomCheckLog
from secrets_app.rest import StrictSerializer, WholeNumberField

CONFIGURED = (
    "name",
    "script_source_type",
    "script_git_url",
    "script_git_branch",
    "script_runtime",
    "script_entrypoint",
    "check_params",
    "env_vars",
    "timeout_seconds",
    "resource_limits",
    "webhook_url",
    "webhook_method",
    "webhook_headers",
    "webhook_query_params",
    "poll_interval_seconds",
)
OBSERVED = (
    "id",
    "script_file_path",
    "script_sha256",
    "status",
    "failure_cause",
    "cycle",
    "check_count",
    "consecutive_errors",
    "last_check_status",
    "last_check_data",
    "last_check_at",
    "next_check_at",
    "progress",
    "created_at",
    "completed_at",
)


class JobSerializer(StrictSerializer, serializers.ModelSerializer[CustomCheckJob]):
    timeout_seconds = WholeNumberField(required=False, min_value=10, max_value=3600)
    poll_interval_seconds = WholeNumberField(required=False, min_value=10, max_value=86400)
    check_params = serializers.JSONField(required=False, validators=[fields.check_params])
    script_sha256 = serializers.CharField(source="script_archive_id", read_only=True, allow_null=True)

    class Meta:
        model = CustomCheckJob
        fields = CONFIGURED + OBSERVED
        read_only_fields = OBSERVED
        extra_kwargs = {name: {"trim_whitespace": False} for name in ("name", "script_entrypoint", "script_git_branch")}


class LogSerializer(serializers.ModelSerializer[CustomCheckLog]):
    job_id = serializers.IntegerField(read_only=True)
    cause = serializers.CharField(read_only=True)

    class Meta:
        model = CustomCheckLog
        fields: Any = (
            "id",
            "job_id",
            "check_id",
            "cycle",
            "status",
            "cause",
            "message",
            "script_output",
            "execution_time_ms",
            "revision",
            "timings",
            "started_at",
            "created_at",
        )
        read_only_fields = fields
