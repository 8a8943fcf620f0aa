"""A job as JSON, as it is described, taken and shown."""

from typing import Any

from rest_framework import serializers

from customchecks.jobs.models import CustomCheckJob
from teckochecker.kit import declared
from teckochecker.kit.declared_serializer import DeclaredSerializer

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
# What is shown beside the declared fields, in its order, and what it may look like
OBSERVED: dict[str, Any] = {
    "status": "active",
    "waiting_for": None,
    "failure_cause": "",
    "cycle": 1,
    "check_count": 3,
    "consecutive_errors": 0,
    "last_check_status": "PENDING",
    "last_check_data": {"rows": 1200},
    "last_check_at": "2026-01-31T22:04:11.120000Z",
    "next_check_at": "2026-01-31T22:06:11.120000Z",
    "next_check_in": None,
    "deadline_at": "2026-02-01T22:00:00.500000Z",
    "alerting": False,
    "progress": 40.0,
    "script_file_path": f"{SHA256}.tgz",
    "script_sha256": SHA256,
    "script_version_pin": None,
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
}


class JobSerializer(DeclaredSerializer[CustomCheckJob]):
    """With the product's field names. References to secrets stay references."""

    example = {"id": 7, **declared.defaults(CustomCheckJob), **CustomCheckJob.declared.example(), **OBSERVED}
    shapes = {"last_check_data": {"type": "object", "additionalProperties": True}}
    script_sha256 = serializers.CharField(source="script_archive_id", read_only=True, allow_null=True)
    waiting_for = serializers.ChoiceField(["script"], read_only=True, allow_null=True)

    class Meta:
        model = CustomCheckJob
        observed = tuple(OBSERVED)
