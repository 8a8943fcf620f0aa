"""The admin of what the queue and the outbox did: to be read only.

A row of django-q2's Schedule names any function, and the cluster calls it: whoever may write one runs code here. So the
queue's models are registered anew, without a way to write them.
"""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django_q import admin as _registered  # noqa: F401  what is replaced below has to be there first
from django_q.models import Failure, OrmQ, Schedule, Success

from polling.outbox.deliveries import Delivery, DeliveryAttempt, ResendRefused
from polling.site import group_admin
from polling.site import openai_admin as _polling_job_admin  # noqa: F401  registers itself
from polling.sweep.models import SweepLease
from secrets_app.admin import ReadOnly


class HistoryAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Nothing is written, deleted or counted twice."""

    actions: tuple[str, ...] | None = None
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class AttemptInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = DeliveryAttempt
    can_delete = False
    extra = 0
    fields = readonly_fields = ("number", "started_at", "status_code", "duration_ms", "error", "answer")
    verbose_name_plural = "attempts"


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin):
    actions = ("resend", "mark_as_seen")
    inlines = (AttemptInline,)
    list_display = ("created_at", "job", "status", "method", "url", "attempts", "last_status_code", "next_attempt_at")
    list_filter = ("unseen", "status", "channel", "job_kind", "created_at")
    search_fields = ("=id", "job_name", "url", "last_error")
    fields = (
        "id",
        "job",
        "channel",
        "event",
        "cycle",
        "status",
        "attempts",
        "last_status_code",
        "last_error",
        "next_attempt_at",
        "created_at",
        "delivered_at",
        "method",
        "url",
        "headers",
        "query",
        "signing_secrets",
        "body",
    )

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("polling.change_delivery")

    @admin.action(description="Send again", permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        for delivery in queryset:
            try:
                delivery.resend()
            except ResendRefused as error:
                self.message_user(request, f"{delivery}: {error}", messages.ERROR)
            else:
                self.log_change(request, delivery, "Sent again")
                self.message_user(request, f"{delivery} is sent again.", messages.SUCCESS)

    @admin.action(description="Mark as seen: it stays undelivered", permissions=["resend"])
    def mark_as_seen(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        chosen = list(queryset.filter(unseen=True))
        queryset.update(unseen=False)
        for delivery in chosen:
            self.log_change(request, delivery, "Marked as seen")
        self.message_user(request, f"{len(chosen)} marked as seen.", messages.SUCCESS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        found: QuerySet[Delivery] = super().get_queryset(request)
        return found if request.resolver_match and "object_id" in request.resolver_match.kwargs else found.defer("body")

    @admin.display(description="job", ordering="job_id")
    def job(self, delivery: Delivery) -> str:
        url = group_admin.change_page(delivery.job_kind, delivery.job_id)
        return format_html('<a href="{}">{}</a>', url, delivery.job_name) if url else delivery.job_name


@admin.register(SweepLease)
class SweepLeaseAdmin(HistoryAdmin):
    list_display = ("host", "pid", "heartbeat_at")


for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class TaskAdmin(HistoryAdmin):
    """``args`` and ``result`` are pickles, and what a task returned may be long: they are left in the database."""

    list_display = ("name", "func", "started", "stopped", "attempt_count")
    list_filter = ("started",)
    search_fields = ("name", "func")
    fields: ClassVar[tuple[str, ...]] = (
        "id",
        "name",
        "func",
        "group",
        "cluster",
        "started",
        "stopped",
        "attempt_count",
        "success",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("args", "kwargs", "result")


@admin.register(Success)
class SuccessAdmin(TaskAdmin):
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(success=True)


@admin.register(Failure)
class FailureAdmin(TaskAdmin):
    fields = (*TaskAdmin.fields, "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(success=False)

    def error(self, task: Failure) -> str:
        return str(task.result)


@admin.register(Schedule)
class ScheduleAdmin(HistoryAdmin):
    list_display = ("name", "func", "schedule_type", "minutes", "repeats", "next_run", "cluster")
    fields = (*list_display, "args", "kwargs", "hook", "task")


@admin.register(OrmQ)
class QueueAdmin(HistoryAdmin):
    list_display = ("id", "key", "lock")
    fields = ("id", "key", "lock", "name", "func")
    readonly_fields = ("name", "func")
