"""Groups as the API and the command line take and show them."""

from typing import Any

from rest_framework import serializers

from polling.jobs import group_changes, groups
from polling.jobs.groups import JobGroup, Rule
from polling.jobs.members import LARGEST_ID, Key
from polling.outbox.webhook_fields import WebhookMethod
from polling.site.delivery_serializers import WEBHOOK_SHAPES
from teckochecker.kit.rest import ChoiceField, StrictSerializer, TextField, WholeNumberField

OBSERVED = ("status", "failure_cause", "cycle", "started_at", "deadline_at", "created_at", "completed_at")

NEW_GROUP: dict[str, Any] = {
    "name": "all providers",
    "members": [{"kind": "custom", "id": 7}, {"kind": "openai", "id": 3}],
    "rule": "all",
    "deadline_seconds": 86400,
    "webhook_url": "https://hooks.example.com/batches",
}
CUSTOM = {"kind": "custom", "id": 7, "name": "gemini batch", "status": "completed", "ended": True, "verdict": "SUCCESS"}
OPENAI = {"kind": "openai", "id": 3, "name": "nightly batch", "status": "active", "ended": False, "verdict": "PENDING"}
GROUP: dict[str, Any] = {
    "id": 2,
    **NEW_GROUP,
    "members": [CUSTOM, OPENAI],
    "count": None,
    "webhook_method": "POST",
    "webhook_headers": None,
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


class GroupSerializer(serializers.ModelSerializer[JobGroup]):
    example = GROUP
    members = MemberSerializer(many=True, source="states", read_only=True)

    class Meta:
        model = JobGroup
        fields: Any = ("id", "members", *group_changes.SETTABLE, *OBSERVED)
        read_only_fields = fields
        list_serializer_class = Groups


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


class GroupFieldsSerializer(StrictSerializer):
    """Types only: values are checked where every way to a group passes."""

    shapes = WEBHOOK_SHAPES
    example = NEW_GROUP

    name = TextField(max_length=255)
    members = MembersField()
    rule = ChoiceField(choices=Rule.choices, required=False)
    count = WholeNumberField(required=False, allow_null=True)
    deadline_seconds = WholeNumberField(required=False)
    webhook_url = TextField(max_length=500)
    webhook_method = ChoiceField(choices=WebhookMethod.choices, required=False)
    webhook_headers = serializers.JSONField(required=False, allow_null=True)
    webhook_query_params = serializers.JSONField(required=False, allow_null=True)
    webhook_signing_secrets = serializers.JSONField(required=False)
