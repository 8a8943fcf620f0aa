"""Groups as the API and the command line take and show them."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from polling.jobs import groups
from polling.jobs.declared import GROUP as DECLARED
from polling.jobs.groups import JobGroup
from polling.jobs.members import LARGEST_ID, Key
from teckochecker.kit.declared_serializer import DeclaredSerializer

NEW_GROUP: dict[str, Any] = {
    **DECLARED.example(),
    "members": [{"kind": "custom", "id": 7}, {"kind": "openai", "id": 3}],
}
CUSTOM = {"kind": "custom", "id": 7, "name": "gemini batch", "status": "completed", "ended": True, "verdict": "SUCCESS"}
OPENAI = {"kind": "openai", "id": 3, "name": "nightly batch", "status": "active", "ended": False, "verdict": "PENDING"}
GROUP: dict[str, Any] = {
    "id": 2,
    **NEW_GROUP,
    "members": [CUSTOM, OPENAI],
    "count": None,
    "webhook_method": "POST",
    "webhook_query_params": None,
    "webhook_signing_secrets": [],
    "status": "active",
    "failure_cause": "",
    "cycle": 1,
    "started_at": "2026-01-31T22:00:00.000000Z",
    "deadline_at": "2026-02-01T22:00:00.000000Z",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
}
ANSWERED = {
    **GROUP,
    "members": [
        {**CUSTOM, "message": "400 of 400 done", "data": {"output": "files/out-17"}, "cause": None},
        {**OPENAI, "message": "1 of 1 batches have not ended.", "data": {"batches": {}}, "cause": None},
    ],
}


class MemberSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.CharField()
    ended = serializers.BooleanField()
    verdict = serializers.CharField(allow_null=True)


class KnownMemberSerializer(MemberSerializer):
    shapes = {"data": {"type": "object", "additionalProperties": True}}
    message = serializers.CharField(allow_null=True)
    data = serializers.JSONField(allow_null=True)  # type: ignore[assignment]  # the name is a property too
    cause = serializers.CharField(allow_null=True)


class Groups(serializers.ListSerializer[Any]):
    def to_representation(self, data: Any) -> Any:
        """The members of all of them are read at once."""
        found = list(data)
        groups.preload(found)
        return super().to_representation(found)


class GroupSerializer(DeclaredSerializer[JobGroup]):
    """References to secrets stay references."""

    example = GROUP
    members = MemberSerializer(many=True, source="states", read_only=True)

    class Meta:
        model = JobGroup
        list_serializer_class = Groups
        observed = (
            *("members", "status", "failure_cause", "cycle"),
            *("started_at", "deadline_at", "created_at", "completed_at"),
        )


class GroupWithAnswersSerializer(GroupSerializer):
    example = ANSWERED
    members = KnownMemberSerializer(many=True, source="known", read_only=True)


class MemberKeySerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(max_length=50)
    id = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)


class MembersField(serializers.ListField):
    child = MemberKeySerializer()

    def to_internal_value(self, data: Any) -> list[Key]:
        odd = [entry for entry in data if not _is_member(entry)] if isinstance(data, list) else [data]
        if odd:
            raise serializers.ValidationError(
                f'A list of members such as {{"kind": "custom", "id": 7}} is wanted, not {odd[0]!r:.80}.'
            )
        return [(entry["kind"], entry["id"]) for entry in data]


def _is_member(entry: Any) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"kind", "id"}:
        return False
    return isinstance(entry["kind"], str) and type(entry["id"]) is int


class GroupFieldsSerializer(DeclaredSerializer[JobGroup]):
    """What creating and changing a group takes."""

    example = NEW_GROUP
    members = MembersField()

    class Meta:
        model = JobGroup
        observed: tuple[str, ...] = ()

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        return [*DECLARED.columns, "members"]


def split(data: Any) -> tuple[dict[str, Any], list[Key] | None]:
    """What somebody wrote of a group: its fields, and its members where they are named. Raises ValidationError."""
    if not isinstance(data, Mapping):
        raise serializers.ValidationError({"body": ["A JSON object is wanted."]})
    given = {**data}
    if "members" not in given:
        return given, None
    try:
        return given, MembersField().to_internal_value(given.pop("members"))
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"members": error.detail}) from None
