"""The admin of jobs: they may be edited and moved, never their state. Their logs are in ``log_admin``."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_protect

from customchecks.jobs import service
from customchecks.jobs.declared import JOB
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from customchecks.site.forms import CustomCheckJobForm
from customchecks.site.log_admin import STYLE, block, pretty
from polling.jobs import duplicate_names, restart_effects, test_deliveries
from polling.jobs.scheduling import JobStatus, TransitionRefused
from polling.outbox.deliveries import Delivery
from secrets_app.admin import OwnerName
from teckochecker.kit import admin_confirmation
from teckochecker.kit.declared import Table

STATE = (
    "status",
    "failure_cause",
    "last_check_status",
    "last_check_at",
    "next_check_at",
    "next_check_in",
    "deadline_at",
    "check_count",
    "consecutive_errors",
    "alerting",
    "cycle",
    "progress",
    "created_at",
    "completed_at",
    "owner_name",
    "script_version_pin",
    "stored_script",
    "versions",
    "installed",
    "history",
    "last_data",
    "script_state",
)

# By section, what is the form's and not the job's, and its place: who may only look has no form
OF_THE_FORM = {"": (0, "definition"), "Script": (1, "script")}

BUTTONS = {
    JobStatus.ACTIVE: (("trigger", "Check now"), ("pause", "Pause")),
    JobStatus.PAUSED: (("trigger", "Check now"), ("resume", "Resume")),
    JobStatus.COMPLETED: (("restart", "Restart"),),
    JobStatus.FAILED: (("restart", "Restart"),),
}


def sections(table: Table) -> list[Any]:
    found = table.sections()
    for title, (place, name) in OF_THE_FORM.items():
        found[title].insert(place, name)
    return [(title or None, {"fields": names}) for title, names in found.items()]


@admin.register(CustomCheckJob)
class CustomCheckJobAdmin(OwnerName, admin.ModelAdmin):  # type: ignore[type-arg]
    class Media:
        css = STYLE

    form = CustomCheckJobForm
    change_form_template = "admin/customchecks/customcheckjob/change_form.html"
    list_display = (
        "name",
        "id",
        "status",
        "last_check_status",
        "progress",
        "last_check_at",
        "next_check_at",
        "interval",
    )
    list_filter = ("status", "last_check_status", "alerting", "script_runtime", "script_source_type")
    search_fields = ("=id", "name", "tag_text", "script_git_url", "webhook_url")
    list_per_page = 50
    actions = ("pause", "resume", "trigger", "restart", "send_test")
    readonly_fields = STATE
    fieldsets = (*sections(JOB), ("State", {"fields": STATE}))

    # Editing

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets[:-1]
        if self.has_change_permission(request, obj):
            return fieldsets
        hidden = {name for _, name in OF_THE_FORM.values()}
        return [
            (title, {"fields": [name for name in options["fields"] if name not in hidden]})
            for title, options in fieldsets
        ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Also in tags, which are JSON: by their text."""
        return super().get_search_results(request, queryset.alias(tag_text=Cast("tags", TextField())), search_term)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        job = context.get("original")
        context["transitions"] = BUTTONS[JobStatus(job.status)] if job else ()
        return super().render_change_form(request, context, *args, **kwargs)

    @method_decorator(csrf_protect)
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Without Django's transaction around it: an archive is read here, for seconds, and the service has its own."""
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: CustomCheckJob, form: CustomCheckJobForm, change: bool) -> None:
        """The form has stored it."""
        for told in filter(None, (obj.not_runnable(), duplicate_names.warning(obj))):
            self.message_user(request, told, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: CustomCheckJob) -> None:
        service.delete_job(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> None:
        for job in queryset:
            service.delete_job(job)

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Logs go with their job although nobody may delete a log; they are counted, not listed."""
        found = list(objs)
        logs = CustomCheckLog.objects.filter(job__in=found).count()
        counts = {self.model._meta.verbose_name_plural: len(found), CustomCheckLog._meta.verbose_name_plural: logs}
        return [str(job) for job in found], {str(name): count for name, count in counts.items()}, set(), []

    # Transitions

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> HttpResponse | None:
        return self._move(request, queryset, CustomCheckJob.pause, "paused")

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> HttpResponse | None:
        return self._move(request, queryset, CustomCheckJob.resume, "resumed")

    @admin.action(description="Check now", permissions=["change"])
    def trigger(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> HttpResponse | None:
        return self._move(request, queryset, CustomCheckJob.trigger, "triggered")

    @admin.action(description="Restart", permissions=["change"])
    def restart(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> HttpResponse | None:
        lines = restart_effects.of_jobs(queryset)
        asked = admin_confirmation.question(request, self, title="Restart these jobs?", lines=lines)
        return asked or self._move(request, queryset, CustomCheckJob.restart, "restarted")

    @admin.action(description="Send a test to the webhook", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[CustomCheckJob]) -> None:
        for job in queryset:
            try:
                delivery = test_deliveries.send_test(job)
            except test_deliveries.SendRefused as error:
                self.message_user(request, f"Job {job.name}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"Job {job.name}: delivery {delivery.pk} is sent.", messages.SUCCESS)

    def _move(
        self,
        request: HttpRequest,
        queryset: QuerySet[CustomCheckJob],
        transition: Callable[[CustomCheckJob], object],
        verb: str,
    ) -> HttpResponse | None:
        chosen = list(queryset)
        for job in chosen:
            try:
                transition(job)
            except TransitionRefused as error:
                self.message_user(request, f"Job {job.name}: {error}", messages.ERROR)
            else:
                self.log_change(request, job, verb.capitalize())
                self.message_user(request, f"Job {job.name} was {verb}.", messages.SUCCESS)
        if len(chosen) == 1 and "_from_job" in request.POST:
            return redirect("admin:customchecks_customcheckjob_change", chosen[0].pk)
        return None

    # What is shown

    @admin.display(description="interval", ordering="poll_interval_seconds")
    def interval(self, job: CustomCheckJob) -> str:
        return f"{job.poll_interval_seconds} s"

    @admin.display(description="dependencies")
    def installed(self, job: CustomCheckJob) -> str:
        found = job.dependencies
        if found is None:
            return "none"
        used = f", last used {found['last_used_at']:%Y-%m-%d %H:%M} UTC" if found["last_used_at"] else ""
        return found["error"] or f"{found['state']}, {found['size'] / 1024 / 1024:.1f} MB{used}"

    @admin.display(description="last check data")
    def last_data(self, job: CustomCheckJob) -> str:
        return pretty(job.last_check_data)

    @admin.display(description="state handed back")
    def script_state(self, job: CustomCheckJob) -> str:
        return pretty(job.state)

    @admin.display(description="stored script")
    def stored_script(self, job: CustomCheckJob) -> str:
        archive = job.script_archive
        if archive is None:
            return job.not_runnable() or "None: it comes from Git."
        listed = "\n".join(f"{path}  {size} bytes" for path, size in archive.files)
        return block(f"sha256 {archive.sha256}\n{listed}")

    @admin.display(description="versions")
    def versions(self, job: CustomCheckJob) -> str:
        rows = job.versions.select_related("created_by")
        lines = [
            f"{version.number}{' (pinned)' if version.number == job.script_version_pin else ''}"
            f"  {version.created_at:%Y-%m-%d %H:%M:%S}Z  {version.source}  {version.revision}"
            f"  {version.created_by or ''} {' '.join(version.notes)}"
            for version in rows
        ]
        return block("\n".join(lines))

    @admin.display(description="history")
    def history(self, job: CustomCheckJob) -> str:
        logs = reverse("admin:customchecks_customchecklog_changelist")
        deliveries = reverse("admin:polling_delivery_changelist")
        return format_html(
            '<a href="{}?job__id__exact={}">{} checks</a>, <a href="{}?job_kind={}&amp;job_id={}">{} deliveries</a>',
            logs,
            job.pk,
            job.logs.count(),
            deliveries,
            job.kind,
            job.pk,
            Delivery.objects.filter(job_kind=job.kind, job_id=job.pk).count(),
        )
