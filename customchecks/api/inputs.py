"""What calls about jobs take, but for a job itself. Values are checked where every way to a job passes."""

from typing import Any

from rest_framework import serializers

from customchecks.jobs import bulk
from teckochecker.kit.api.rest import ShapedField, StrictSerializer

TEXT = {"type": "string"}
VERSION = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
MISSING = {"null": "This field is required."}


class FormSerializer(serializers.Serializer[Any]):
    """A job as a form: see ``customchecks.api.uploads``."""

    example = {"config": '{"name": "nightly export", "script_source_type": "upload", "script_runtime": "python"}'}
    config = serializers.CharField(help_text="The job's definition: JSON as text.")
    script = serializers.FileField(required=False)


class UploadSerializer(serializers.Serializer[Any]):
    example = {"file": "script.tgz"}
    file = serializers.FileField()


class NewNameSerializer(StrictSerializer):
    example = {"name": "nightly export (copy)"}
    name = ShapedField(TEXT, required=False, allow_null=True)


class GitSourceSerializer(StrictSerializer):
    example = {"git_url": "https://git.example.com/checks.git", "branch": "main"}
    git_url = ShapedField(TEXT, error_messages=MISSING)
    branch = ShapedField(TEXT, default="main", allow_null=True)


class PinSerializer(StrictSerializer):
    example = {"version": 1}
    version = ShapedField(VERSION, required=False, allow_null=True)


class RollbackSerializer(StrictSerializer):
    example = {"version": 1}
    version = ShapedField(VERSION, error_messages=MISSING)


class NothingSerializer(StrictSerializer):
    """Takes no fields, which the document cannot tell by itself."""


class ManySerializer(StrictSerializer):
    """``ids`` or ``filter`` says which jobs are meant."""

    example = {"ids": [7, 8]}
    ids = ShapedField(
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": bulk.MOST},
        required=False,
        allow_null=True,
    )
    filter = ShapedField(
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "status": TEXT,
                "runtime": TEXT,
                "tags": {"type": "array", "items": TEXT},
                "search": TEXT,
            },
        },
        required=False,
        allow_null=True,
    )


class DocumentSerializer(serializers.Serializer[Any]):
    """Jobs as they are exported and imported."""

    example = {
        "teckochecker": 1,
        "jobs": [{"name": "nightly export", "script_source_type": "upload", "script_runtime": "python"}],
    }
    teckochecker = serializers.ChoiceField([1], required=False)
    jobs = serializers.ListField(child=serializers.DictField(), required=False)
