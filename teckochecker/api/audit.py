"""``/api/audit``: who changed what, the newest first."""

import functools
from typing import Any

from auditlog.models import LogEntry
from django.urls import re_path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.jobs import selection
from secrets_app.access.audit import more, told, way
from teckochecker.access.authentication import covered
from teckochecker.kit import strict_json
from teckochecker.kit.openapi import OBJECT
from teckochecker.kit.pagination import page

ACTIONS = {"create": LogEntry.Action.CREATE, "update": LogEntry.Action.UPDATE, "delete": LogEntry.Action.DELETE}
NAMES = {number: name for name, number in ACTIONS.items()}


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    at = serializers.DateTimeField(source="timestamp", read_only=True)
    actor = serializers.SerializerMethodField()
    via = serializers.SerializerMethodField()
    address = serializers.IPAddressField(source="remote_addr", read_only=True, allow_null=True)
    action = serializers.SerializerMethodField()
    event = serializers.SerializerMethodField()
    model = serializers.SerializerMethodField()
    object_id = serializers.CharField(source="object_pk", read_only=True)
    object = serializers.CharField(source="object_repr", read_only=True)
    changes = serializers.SerializerMethodField()

    class Meta:
        model = LogEntry
        fields = ("id", "at", "actor", "via", "address", "action", "event", "model", "object_id", "object", "changes")
        read_only_fields = fields

    def get_actor(self, entry: LogEntry) -> str | None:
        """The name at that time."""
        return more(entry, "actor") or None

    def get_via(self, entry: LogEntry) -> str:
        return way(entry)

    def get_action(self, entry: LogEntry) -> str:
        return NAMES.get(entry.action, "access")

    def get_event(self, entry: LogEntry) -> str:
        return more(entry, "event")

    def get_model(self, entry: LogEntry) -> str:
        return f"{entry.content_type.app_label}.{entry.content_type.model}"

    @extend_schema_field(OBJECT)
    def get_changes(self, entry: LogEntry) -> dict[str, Any]:
        return entry.changes or {}


class AuditViewSet(GenericViewSet[LogEntry]):
    queryset: Any = LogEntry.objects.select_related("content_type").order_by("-timestamp", "-id")
    serializer_class = EntrySerializer

    def list(self, request: Request) -> Response:
        """``actor``, ``model``, ``object_id``, ``action``, ``since`` and ``until`` narrow the list.

        What happened to users, groups and tokens is there for whoever may view those.
        """
        asked = {name: strict_json.storable(str(value)) for name, value in request.query_params.items()}
        rows = told(self.get_queryset().filter(**_columns(asked)), functools.partial(_may_view, request))
        return Response(page(rows, request, key="entries", serializer=EntrySerializer))


def _may_view(request: Request, permission: str) -> bool:
    return bool(request.user.has_perm(permission)) and covered(request, [permission])


def _columns(asked: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "actor" in asked:
        found["additional_data__actor"] = asked["actor"]
    if "model" in asked:
        app, _, name = asked["model"].partition(".")
        found |= {"content_type__app_label": app, "content_type__model": name.lower()}
    if "object_id" in asked:
        found["object_pk"] = asked["object_id"][:255]
    if "action" in asked:
        if asked["action"] not in ACTIONS:
            raise serializers.ValidationError({"action": [f"One of {', '.join(ACTIONS)} is wanted."]})
        found["action"] = ACTIONS[asked["action"]]
    for name, lookup in (("since", "timestamp__gte"), ("until", "timestamp__lt")):
        if name in asked:
            found[lookup] = selection.time(name, asked[name])
    return found


urlpatterns = [re_path(r"^audit/?$", AuditViewSet.as_view({"get": "list"}), name="audit")]
