"""The admin of jobs that watch OpenAI batches: they are made by the API and the command line; here they are moved."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from polling.jobs import test_deliveries
from polling.jobs.scheduling import TransitionRefused
from polling.openai import service
from polling.openai.declared import TOLD
from polling.openai.models import PollingJob, PollingLog
from secrets_app.admin import OwnerName, ReadOnly


@admin.register(PollingJob)
class PollingJobAdmin(OwnerName, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "id", "status", "failure_cause", "last_check_status", "last_check_at", "next_check_at")
    list_filter = ("status", "last_check_status", "alerting")
    search_fields = ("=id", "name", "batches__batch_id")
    list_per_page = 50
    actions = ("pause", "resume", "send_test")
    readonly_fields = ("owner_name",)
    fields = (
        "name",
        "status",
        "failure_cause",
        "batch_states",
        "openai_secret",
        "keboola_secret",
        "keboola_stack_url",
        "keboola_component_id",
        "keboola_configuration_id",
        *TOLD.columns,
        "poll_interval_seconds",
        "last_check_status",
        "last_check_at",
        "next_check_at",
        "deadline_seconds",
        "deadline_at",
        "max_checks",
        "check_count",
        "max_consecutive_errors",
        "consecutive_errors",
        "created_at",
        "completed_at",
        "owner_name",
        "last_logs",
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("polling.delete_pollingjob")

    def delete_model(self, request: HttpRequest, obj: PollingJob) -> None:
        service.delete_job(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PollingJob]) -> None:
        for job in queryset:
            service.delete_job(job)

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Batches and logs go with their job; they are counted, not listed."""
        found = list(objs)
        counts = {"polling jobs": len(found), "polling logs": PollingLog.objects.filter(job__in=found).count()}
        return [str(job) for job in found], counts, set(), []

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[PollingJob]) -> None:
        self._move(request, queryset, PollingJob.pause, "paused")

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[PollingJob]) -> None:
        self._move(request, queryset, PollingJob.resume, "resumed")

    @admin.action(description="Send a test to the webhook", permissions=["operate"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[PollingJob]) -> None:
        for job in queryset:
            try:
                delivery = test_deliveries.send_test(job)
            except test_deliveries.SendRefused as error:
                self.message_user(request, f"Job {job.name}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"Job {job.name}: delivery {delivery.pk} is sent.", messages.SUCCESS)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("polling.change_pollingjob")

    def _move(
        self,
        request: HttpRequest,
        queryset: QuerySet[PollingJob],
        transition: Callable[[PollingJob], None],
        verb: str,
    ) -> None:
        for job in queryset:
            try:
                transition(job)
            except TransitionRefused as error:
                self.message_user(request, f"Job {job.name}: {error}", messages.ERROR)
            else:
                self.log_change(request, job, verb.capitalize())
                self.message_user(request, f"Job {job.name} was {verb}.", messages.SUCCESS)

    @admin.display(description="batches")
    def batch_states(self, job: PollingJob) -> str:
        return "\n".join(f"{batch.batch_id}: {batch.status}" for batch in job.batches.all())

    @admin.display(description="last logs")
    def last_logs(self, job: PollingJob) -> str:
        newest = job.logs.order_by("-created_at", "-id")[:20]
        return "\n".join(f"{log.created_at:%Y-%m-%d %H:%M:%S} {log.status}: {log.message}" for log in newest)
