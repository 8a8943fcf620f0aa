"""Logs, versions and what calls about jobs answer, as the API and the command line show them."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from customchecks.api.examples import LOG, VERSION
from customchecks.jobs import bulk
from customchecks.jobs.models import CustomCheckLog, ScriptVersion
from customchecks.jobs.serializers import SHA256
from teckochecker.kit.api.rest import ChoiceField, ShapedField

TEXT = {"type": "string"}
OBJECT: Mapping[str, Any] = {"type": "object", "additionalProperties": True}
STRINGS = {"type": "object", "additionalProperties": TEXT}
CHANGES = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["from", "to"],
        "additionalProperties": False,
        "properties": {"from": {}, "to": {}},
    },
}


class LogSerializer(serializers.ModelSerializer[CustomCheckLog]):
    example = LOG
    shapes: Mapping[str, Any] = {"script_output": OBJECT, "timings": OBJECT}
    job_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = CustomCheckLog
        fields: Any = tuple(LOG)
        read_only_fields = fields


class CheckSerializer(LogSerializer):
    """A check, or a test: that has no number and no cycle, and tells what the next check would have been given."""

    example = {**LOG, "test": False, "state": None, "progress": None, "next_check_in": None}
    shapes = {**LogSerializer.shapes, "state": OBJECT}
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


class PinnedSerializer(MovedSerializer):
    example = {"message": "Pinned to version 1", "job_id": 7, "version": 1}
    version = serializers.IntegerField(read_only=True)


class StartedSerializer(MovedSerializer):
    """``location`` answers with the check once it has ended."""

    example = {
        "message": "Job triggered",
        "job_id": 7,
        "check_id": LOG["check_id"],
        "location": f"/api/custom-checks/7/checks/{LOG['check_id']}",
    }
    check_id = serializers.UUIDField(read_only=True)
    location = serializers.SerializerMethodField()

    def get_location(self, started: dict[str, Any]) -> str:
        return f"/api/custom-checks/{started['job_id']}/checks/{started['check_id']}"


class UnderWaySerializer(serializers.Serializer[Any]):
    example = {"job_id": 7, "check_id": LOG["check_id"], "state": "waiting"}
    job_id = serializers.IntegerField(read_only=True)
    check_id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(["waiting", "running"], read_only=True)


class VersionSerializer(serializers.ModelSerializer[ScriptVersion]):
    example = VERSION
    shapes = {"notes": {"type": "array", "items": TEXT}}
    version = serializers.IntegerField(source="number")
    sha256 = serializers.CharField(source="archive_id")
    size = serializers.IntegerField(source="archive.size")
    files = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", read_only=True, default=None, allow_null=True)
    pinned = serializers.SerializerMethodField()

    class Meta:
        model = ScriptVersion
        fields: Any = tuple(VERSION)
        read_only_fields = fields

    def get_files(self, version: ScriptVersion) -> list[dict[str, Any]]:
        return [{"path": path, "size": size} for path, size in version.archive.files]

    def get_pinned(self, version: ScriptVersion) -> bool:
        return version.number == version.job.script_version_pin


class UploadedSerializer(serializers.Serializer[Any]):
    example = {"message": "Script uploaded successfully", "path": f"{SHA256}.tgz", "sha256": SHA256}
    message = serializers.CharField()
    path = serializers.CharField(allow_null=True)
    sha256 = serializers.CharField()


class RepositorySerializer(serializers.Serializer[Any]):
    example = {"message": "Git source configured", "url": "https://git.example.com/checks.git", "branch": "main"}
    message = serializers.CharField()
    url = serializers.CharField()
    branch = serializers.CharField(allow_null=True)


class ScriptInfoSerializer(serializers.Serializer[Any]):
    """``metadata`` is the version that runs now, or null where there is none yet."""

    example = {
        "job_id": 7,
        "source_type": "upload",
        "git_url": None,
        "git_branch": "main",
        "file_path": f"{SHA256}.tgz",
        "metadata": VERSION,
    }
    job_id = serializers.IntegerField()
    source_type = serializers.CharField()
    git_url = serializers.CharField(allow_null=True)
    git_branch = serializers.CharField(allow_null=True)
    file_path = serializers.CharField(allow_null=True)
    metadata = VersionSerializer(allow_null=True)


class ResultSerializer(serializers.Serializer[bulk.Result]):
    job_id = serializers.IntegerField()
    ok = serializers.BooleanField()
    status = serializers.CharField(allow_null=True)
    check_id = serializers.UUIDField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class BulkSerializer(serializers.Serializer[Any]):
    action = ChoiceField(list(bulk.ACTIONS))
    results = ResultSerializer(many=True)
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class PutSerializer(serializers.Serializer[Any]):
    """``changes`` are fields to what they were and are; ``job_id`` is null where nothing was made."""

    name = serializers.CharField()
    job_id = serializers.IntegerField(allow_null=True)
    action = serializers.ChoiceField(["created", "updated", "unchanged"])
    changes = ShapedField(CHANGES)


class ImportSerializer(serializers.Serializer[Any]):
    example = {
        "dry_run": False,
        "results": [
            {
                "name": "nightly export",
                "job_id": 7,
                "action": "updated",
                "changes": {"poll_interval_seconds": {"from": 120, "to": 300}},
            }
        ],
    }
    dry_run = serializers.BooleanField()
    results = PutSerializer(many=True)


def put_shape(put: Any, dry_run: bool) -> dict[str, Any]:
    made_up = dry_run and put.action == "created"
    return {
        "name": put.job.name,
        "job_id": None if made_up else put.job.pk,
        "action": put.action,
        "changes": {field: {"from": before, "to": after} for field, (before, after) in put.changes.items()},
    }
