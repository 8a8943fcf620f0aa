"""The admin's pages of checks that ended: to be read only."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customchecks.jobs.models import CustomCheckLog
from polling.admin import HistoryAdmin
from teckochecker.kit.admin_filters import NamedValues

STYLE = {"all": ("customchecks/admin.css",)}


@admin.register(CustomCheckLog)
class CustomCheckLogAdmin(HistoryAdmin):
    class Media:
        css = STYLE

    list_display = ("created_at", "job_link", "verdict", "cause", "short_message", "seconds")
    list_filter = ("status", ("cause", NamedValues), "created_at")
    list_select_related = ("job",)
    list_per_page = 50
    search_fields = ("=job__id", "job__name", "message", "=check_id")
    fields = (
        "job_link",
        "verdict",
        "cause",
        "message",
        "data",
        "stdout",
        "stderr",
        "install_log",
        "seconds",
        "steps",
        "started_at",
        "created_at",
        "cycle",
        "check_id",
        "revision",
        "version",
        "source",
        "source_note",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomCheckLog]:
        found: QuerySet[CustomCheckLog] = super().get_queryset(request)
        match = request.resolver_match
        return found if match and "object_id" in match.kwargs else found.defer("script_output")

    @admin.display(description="job", ordering="job__name")
    def job_link(self, log: CustomCheckLog) -> str:
        url = reverse("admin:customchecks_customcheckjob_change", args=[log.job_id])
        return format_html('<a href="{}">{}</a>', url, log.job.name)

    @admin.display(description="verdict", ordering="status")
    def verdict(self, log: CustomCheckLog) -> str:
        return log.status.upper()

    @admin.display(description="message")
    def short_message(self, log: CustomCheckLog) -> str:
        return (log.message or "")[:120]

    @admin.display(description="time", ordering="execution_time_ms")
    def seconds(self, log: CustomCheckLog) -> str:
        return "-" if log.execution_time_ms is None else f"{log.execution_time_ms / 1000:.1f} s"

    @admin.display(description="steps in ms")
    def steps(self, log: CustomCheckLog) -> str:
        return pretty(log.timings)

    def data(self, log: CustomCheckLog) -> str:
        return pretty((log.script_output or {}).get("data"))

    def stdout(self, log: CustomCheckLog) -> str:
        return block((log.script_output or {}).get("stdout"))

    def stderr(self, log: CustomCheckLog) -> str:
        return block((log.script_output or {}).get("stderr"))

    def install_log(self, log: CustomCheckLog) -> str:
        return block((log.script_output or {}).get("install_log"))


def pretty(value: Any) -> str:
    return block(json.dumps(value, ensure_ascii=False, indent=2)) if value else "-"


def block(text: str | None) -> SafeString | str:
    """Text of a script, escaped, with its lines and spaces."""
    return format_html('<pre class="script-output">{}</pre>', text) if text else "-"
