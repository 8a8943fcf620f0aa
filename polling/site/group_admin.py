"""The admin of groups: they may be made, changed and restarted, never their state."""

import json
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from polling.jobs import duplicate_names, group_changes, restart_effects, test_deliveries
from polling.jobs.declared import GROUP
from polling.jobs.groups import GroupRefused, JobGroup
from polling.jobs.members import LARGEST_ID, Key
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import ScheduledJob
from polling.outbox.deliveries import Delivery
from secrets_app.admin import OwnerName
from teckochecker.kit import admin_confirmation
from teckochecker.kit.admin_filters import NamedValues

STATE = (
    "status",
    "failure_cause",
    "cycle",
    "started_at",
    "deadline_at",
    "created_at",
    "completed_at",
    "owner_name",
    "what_is_known",
    "calls",
)


def _shown(section: str, columns: list[str]) -> list[str]:
    """The members stand below the name."""
    return columns if section else [columns[0], "members", *columns[1:]]


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """``user`` is set by the admin: which jobs and secrets may be used depends on who asks."""

    user: User | AnonymousUser

    members = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 8, "cols": 40}),
        help_text="One job a line: its kind and number, such as: custom 7",
    )

    class Meta:
        model = JobGroup
        fields = GROUP.columns
        help_texts = {row.column: row.help for row in GROUP}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["members"] = "\n".join(str(row) for row in self.instance.members.all())

    def clean_members(self) -> list[Key]:
        lines = [line.split() for line in self.cleaned_data["members"].splitlines() if line.strip()]
        if odd := [line for line in lines if len(line) != 2 or not (line[1].isascii() and line[1].isdecimal())]:
            raise ValidationError(f"{' '.join(odd[0])!r:.80} is not a kind and a number, such as: custom 7")
        return [(kind, min(int(number), LARGEST_ID)) for kind, number in lines]

    def clean_webhook_signing_secrets(self) -> Any:
        return self.cleaned_data["webhook_signing_secrets"] or []

    def _post_clean(self) -> None:
        """What would be refused only when it is saved is said at the field."""
        super()._post_clean()  # type: ignore[misc]
        if "members" not in self.cleaned_data:
            return
        try:
            group_changes.check_group(self.instance, self.cleaned_data["members"], user=self.user)
        except ValidationError as error:
            for name, messages_ in error.message_dict.items():
                field, _, key = name.partition(".")
                if field not in self.errors:
                    self.add_error(field, [f"{key}: {message}" if key else message for message in messages_])


@admin.register(JobGroup)
class JobGroupAdmin(OwnerName, admin.ModelAdmin):  # type: ignore[type-arg]
    form = GroupForm
    list_display = ("name", "id", "status", "failure_cause", "rule", "deadline_at", "completed_at")
    list_filter = ("status", ("failure_cause", NamedValues), "rule")
    search_fields = ("=id", "name", "webhook_url")
    list_per_page = 50
    actions = ("restart", "send_test")
    readonly_fields = STATE
    fieldsets: ClassVar[Any] = (
        *[(section or None, {"fields": _shown(section, columns)}) for section, columns in GROUP.sections().items()],
        ("State", {"fields": STATE}),
    )

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets[:-1]
        if self.has_change_permission(request, obj):
            return self.fieldsets
        shown = [name for name in self.fieldsets[0][1]["fields"] if name != "members"]  # the form's, not the group's
        return ((None, {"fields": shown}), *self.fieldsets[1:])

    def save_model(self, request: HttpRequest, obj: JobGroup, form: GroupForm, change: bool) -> None:
        """Only the columns that the form changed: while it was open the group may have ended."""
        wanted = form.cleaned_data["members"]
        named = form.changed_data if change else form.cleaned_data
        data = {name: form.cleaned_data[name] for name in GROUP.columns if name in named}
        if change:
            members = wanted if "members" in named else None
            group_changes.update_group(obj, data, wanted=members, user=request.user)
            return
        created = group_changes.create_group(data, wanted=wanted, user=cast(User, request.user))
        obj.pk = created.pk
        obj.refresh_from_db()
        if told := duplicate_names.warning(obj):
            self.message_user(request, told, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: JobGroup) -> None:
        group_changes.delete_group(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[JobGroup]) -> None:
        for group in queryset:
            group_changes.delete_group(group)

    @admin.action(description="Restart", permissions=["change"])
    def restart(self, request: HttpRequest, queryset: QuerySet[JobGroup]) -> HttpResponse | None:
        lines = [line for group in queryset for line in restart_effects.of_group(group)]
        if asked := admin_confirmation.question(request, self, title="Restart these groups?", lines=lines):
            return asked
        for group in queryset:
            try:
                group_changes.restart_group(group, user=request.user)
            except GroupRefused as error:
                self.message_user(request, f"Group {group.name}: {error}", messages.ERROR)
            else:
                self.log_change(request, group, "Restarted")
                self.message_user(request, f"Group {group.name} was restarted.", messages.SUCCESS)
        return None

    @admin.action(description="Send a test to the webhook", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[JobGroup]) -> None:
        for group in queryset:
            try:
                delivery = test_deliveries.send_group_test(group)
            except test_deliveries.SendRefused as error:
                self.message_user(request, f"Group {group.name}: {error}", messages.ERROR)
            else:
                self.message_user(request, f"Group {group.name}: delivery {delivery.pk} is sent.", messages.SUCCESS)

    @admin.display(description="members")
    def what_is_known(self, group: JobGroup) -> str:
        return "\n".join(
            f"{known['kind']} {known['id']} {known['name']}: {known['status']}, {known['verdict'] or 'no verdict'}"
            f" {known['message'] or ''} {json.dumps(known['data'], ensure_ascii=False)}"
            for known in group.known()
        )

    @admin.display(description="deliveries")
    def calls(self, group: JobGroup) -> str:
        url = reverse("admin:polling_delivery_changelist")
        count = Delivery.objects.filter(job_kind=group.kind, job_id=group.pk).count()
        return format_html('<a href="{}?job_kind={}&amp;job_id={}">{} deliveries</a>', url, group.kind, group.pk, count)


def change_page(kind: str, owner_id: int) -> str | None:
    """Of the job or group that owes a delivery."""
    owners: list[type[JobGroup] | type[ScheduledJob]] = [JobGroup, *job_kinds()]
    for model in owners:
        if model.kind == kind and admin.site.is_registered(model):
            return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[owner_id])
    return None
