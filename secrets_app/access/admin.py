"""The admin of API tokens, which are seen and revoked here, and of the audit.

Only the API and the command line can show a new token.
"""

from typing import Any, ClassVar, cast

from auditlog import admin as _registered  # what is replaced below has to be there first
from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from secrets_app.access.audit import more, told, way
from secrets_app.access.models import ApiToken
from teckochecker.kit.admin_filters import ShownColumnsOnly

admin.site.unregister(LogEntry)


@admin.register(ApiToken)
class ApiTokenAdmin(ShownColumnsOnly):
    list_display = ("__str__", "user", "scope", "token_key", "created", "expiry", "last_used_at")
    list_filter = ("scope", "expiry")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "token_key")
    fields = readonly_fields = ("name", "user_name", "scope", "token_key", "created", "expiry", "last_used_at")

    @admin.display(description="user")
    def user_name(self, token: ApiToken) -> str:
        return str(token.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As the API has it: everybody their own."""
        return obj is None or _own(request, obj) or super().has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return obj is None or _own(request, obj) or super().has_delete_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        rows: QuerySet[ApiToken] = super().get_queryset(request)
        return rows if super().has_view_permission(request) else rows.filter(user=cast(User, request.user))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Nothing hangs on a token."""
        found = list(objs)
        missing = set() if all(self.has_delete_permission(request, token) for token in found) else {"API token"}
        return [str(token) for token in found], {"API tokens": len(found)}, missing, []


def _own(request: HttpRequest, token: Model) -> bool:
    return isinstance(token, ApiToken) and token.user_id == request.user.pk


@admin.register(LogEntry)
class EntryAdmin(_registered.LogEntryAdmin):
    list_display = ["created", "user_url", "way", "remote_addr", "event", "action", "resource_url", "msg_short"]
    readonly_fields = ["created", "user_url", "way", "remote_addr", "event", "action", "resource_url", "msg"]
    fieldsets: ClassVar[Any] = ((None, {"fields": tuple(readonly_fields)}),)

    @admin.display(description="via")
    def way(self, entry: LogEntry) -> str:
        return way(entry)

    @admin.display(description="user")
    def user_url(self, entry: LogEntry) -> str:
        """Without a link: not everybody may see users."""
        return str(entry.actor or "system")

    def event(self, entry: LogEntry) -> str:
        return more(entry, "event") or "-"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        rows: QuerySet[LogEntry] = super().get_queryset(request)  # type: ignore[no-untyped-call]
        return told(rows, request.user.has_perm)
