"""The admin of API tokens: they are seen and revoked here; only the API and the command line can show a new one."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from secrets_app.access.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "user", "scope", "token_key", "created", "expiry", "last_used_at")
    list_filter = ("scope", "expiry")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "token_key")
    fields = ("name", "user", "scope", "token_key", "created", "expiry", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
