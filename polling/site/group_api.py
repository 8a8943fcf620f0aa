"""``/api/groups``: jobs that are waited for together."""

from typing import Any

from django.core.exceptions import ValidationError
from django.urls import re_path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from polling.jobs import duplicate_names, group_changes, groups, test_deliveries
from polling.jobs.groups import GroupRefused, GroupStatus, JobGroup, Rule
from polling.jobs.members import LARGEST_ID, Key
from polling.outbox.webhook_fields import WebhookMethod
from polling.site.deliveries_api import DeliverySerializer
from teckochecker.kit.pagination import page
from teckochecker.kit.rest import ChoiceField, Refused, StrictSerializer, TextField, WholeNumberField, asker

OBSERVED = ("status", "failure_cause", "cycle", "started_at", "deadline_at", "created_at", "completed_at")


class MemberSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.CharField()
    ended = serializers.BooleanField()
    verdict = serializers.CharField(allow_null=True)


class KnownMemberSerializer(MemberSerializer):
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
    members = MemberSerializer(many=True, source="states", read_only=True)

    class Meta:
        model = JobGroup
        fields: Any = ("id", "members", *group_changes.SETTABLE, *OBSERVED)
        read_only_fields = fields
        list_serializer_class = Groups


class GroupWithAnswersSerializer(GroupSerializer):
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


class GroupViewSet(GenericViewSet[JobGroup]):
    queryset: Any = JobGroup.objects.order_by("id")
    serializer_class = GroupWithAnswersSerializer
    needs: str | None = None

    def list(self, request: Request) -> Response:
        """``?status=`` narrows the list."""
        rows = self.get_queryset()
        if (wanted := request.query_params.get("status")) is not None:
            if wanted not in GroupStatus.values:
                raise ValidationError({"status": f"One of {', '.join(GroupStatus.values)} is wanted."})
            rows = rows.filter(status=wanted)
        return Response(page(rows, request, key="groups", serializer=GroupSerializer))

    def create(self, request: Request) -> Response:
        data = _valid(GroupFieldsSerializer(data=request.data))
        group = group_changes.create_group(data, wanted=data.pop("members"), user=asker(request))
        told = duplicate_names.headers(group)
        return Response(self.get_serializer(group).data, status=status.HTTP_201_CREATED, headers=told)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def update(self, request: Request, pk: str) -> Response:
        """Every field that creating can set; those that are not named stay as they are."""
        group = self.get_object()
        data = _valid(GroupFieldsSerializer(data=request.data, partial=True))
        group_changes.update_group(group, data, wanted=data.pop("members", None), user=asker(request))
        return Response(self.get_serializer(self.get_object()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        group_changes.delete_group(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def restart(self, request: Request, pk: str) -> Response:
        try:
            group_changes.restart_group(self.get_object(), user=asker(request))
        except GroupRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)

    def test(self, request: Request, pk: str) -> Response:
        """Answers with the delivery, which is made at once; how it went is in ``/api/deliveries/{id}``."""
        try:
            delivery = test_deliveries.send_group_test(self.get_object())
        except test_deliveries.SendRefused as error:
            raise Refused(str(error)) from None
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


def _valid(serializer: GroupFieldsSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


GROUP = r"^groups/(?P<pk>[0-9]{1,18})"

_one = GroupViewSet.as_view({"get": "retrieve", "put": "update", "patch": "update", "delete": "destroy"})

urlpatterns = [
    re_path(r"^groups/?$", GroupViewSet.as_view({"get": "list", "post": "create"}), name="groups"),
    re_path(rf"{GROUP}/?$", _one, name="group"),
    re_path(rf"{GROUP}/restart/?$", GroupViewSet.as_view({"post": "restart"}, needs="change"), name="group-restart"),
    re_path(
        rf"{GROUP}/webhook/test/?$", GroupViewSet.as_view({"post": "test"}, needs="change"), name="group-webhook-test"
    ),
]
