"""Jobs and logs as the API shows them, with the product's field names."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customchecks.jobs import definition
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog

SCRIPT = "script"
OBSERVED = (
    "status",
    "waiting_for",
    "failure_cause",
    "cycle",
    "check_count",
    "consecutive_errors",
    "last_check_status",
    "last_check_data",
    "last_check_at",
    "next_check_at",
    "next_check_in",
    "deadline_at",
    "alerting",
    "progress",
    "script_file_path",
    "script_sha256",
    "script_version_pin",
    "created_at",
    "completed_at",
)


class JobSerializer(serializers.ModelSerializer[CustomCheckJob]):
    """Shows only: what comes in is checked by ``customchecks.jobs.service``. References to secrets stay references."""

    script_sha256 = serializers.CharField(source="script_archive_id", read_only=True, allow_null=True)
    waiting_for = serializers.SerializerMethodField()

    class Meta:
        model = CustomCheckJob
        fields = ("id", *definition.FIELDS, *OBSERVED)
        read_only_fields = ("id", *OBSERVED)

    @extend_schema_field(serializers.ChoiceField([SCRIPT], allow_null=True))
    def get_waiting_for(self, job: CustomCheckJob) -> str | None:
        """What has to be there before the job can be checked."""
        return SCRIPT if job.not_runnable() else None


class LogSerializer(serializers.ModelSerializer[CustomCheckLog]):
    job_id = serializers.IntegerField(read_only=True)

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
            "version",
            "source",
            "source_note",
            "timings",
            "started_at",
            "created_at",
        )
        read_only_fields = fields


class CheckSerializer(LogSerializer):
    """A check, or a test: that has no number and no cycle, and tells what the next check would have been given."""

    id = serializers.IntegerField(read_only=True, allow_null=True)
    cycle = serializers.IntegerField(read_only=True, allow_null=True)
    test = serializers.BooleanField(default=False)
    state = serializers.JSONField(default=None, allow_null=True)
    progress = serializers.FloatField(default=None, allow_null=True)
    next_check_in = serializers.IntegerField(default=None, allow_null=True)

    class Meta(LogSerializer.Meta):
        fields = (*LogSerializer.Meta.fields, "test", "state", "progress", "next_check_in")


class MovedSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(read_only=True)
    job_id = serializers.IntegerField(read_only=True)


class StartedSerializer(MovedSerializer):
    """``location`` answers with the check once it has ended."""

    check_id = serializers.UUIDField(read_only=True)
    location = serializers.SerializerMethodField()

    def get_location(self, started: dict[str, Any]) -> str:
        return f"/api/custom-checks/{started['job_id']}/checks/{started['check_id']}"


class UnderWaySerializer(serializers.Serializer[Any]):
    job_id = serializers.IntegerField(read_only=True)
    check_id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(["waiting", "running"], read_only=True)
