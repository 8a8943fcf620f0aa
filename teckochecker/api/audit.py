"""``/api/audit``: who changed what, the newest first."""

from typing import Any

from auditlog.models import LogEntry
from django.db.models import Q
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers

from secrets_app.access.audit import more, told, way
from teckochecker.access.authentication import covered
from teckochecker.kit import strict_json
from teckochecker.kit.api.filters import FilterSet, Word, one_of, time
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.views import Router, ViewSet

ACTIONS = {"create": LogEntry.Action.CREATE, "update": LogEntry.Action.UPDATE, "delete": LogEntry.Action.DELETE}
AT = "2026-01-31T22:04:00.000000Z"
NAMES = {number: name for name, number in ACTIONS.items()}
# The fields, in their order, and what they may look like
ENTRY = {
    "id": 12,
    "at": AT,
    "actor": "ada",
    "via": "token nightly import",
    "address": "192.0.2.7",
    "action": "update",
    "event": "paused",
    "model": "customchecks.customcheckjob",
    "object_id": "7",
    "object": "nightly export",
    "changes": {"status": ["active", "paused"]},
}


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    example = ENTRY
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
        fields = tuple(ENTRY)
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

    def get_changes(self, entry: LogEntry) -> dict[str, Any]:
        return entry.changes or {}


def _of_model(name: str) -> Q:
    app, _, model = name.partition(".")
    return Q(content_type__app_label=app, content_type__model=model.lower())


class AuditFilters(FilterSet):
    actor = Word("Only what this user did.", example="ada", column="additional_data__actor")
    model = Word("Only changes of these.", example="customchecks.customcheckjob", where=_of_model)
    object_id = Word(
        "Only changes of this one.",
        example="7",
        column="object_pk",
        read=lambda number: strict_json.storable(number)[:255],
    )
    action = one_of(ACTIONS, "Only these.", example="update", where=lambda name: Q(action=ACTIONS[name]))
    since = time("Only what was done at this time or later.", example=AT, column="timestamp__gte")
    until = time("Only what was done before this time.", example=AT, column="timestamp__lt")


@extend_schema(tags=["Access"])
@extend_schema_view(
    list=extend_schema(
        summary="List who changed what",
        description="The newest first. Values of secrets, of a script's environment and of a webhook's headers are "
        "`***`.",
    )
)
class AuditViewSet(mixins.ListModelMixin, ViewSet[LogEntry]):
    """What happened to users, groups and tokens is there for whoever may view those."""

    queryset: Any = LogEntry.objects.select_related("content_type").order_by("-timestamp", "-id")
    serializer_class = EntrySerializer
    pagination_class = pages("entries")
    filterset_class = AuditFilters

    def filter_queryset(self, queryset: Any) -> Any:
        return told(super().filter_queryset(queryset), self._may_view)

    def _may_view(self, permission: str) -> bool:
        return bool(self.request.user.has_perm(permission)) and covered(self.request, [permission])


urlpatterns = Router(("audit", AuditViewSet, "audit")).urls
