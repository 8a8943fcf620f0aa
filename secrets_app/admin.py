"""The admin of secrets: values go in and never come out."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest

from secrets_app.models import LONGEST_BYTES, Secret, SecretGrant, SecretUse, validate_value, without_newline
from teckochecker.kit.admin_filters import ShownColumnsOnly


class SecretForm(forms.ModelForm):  # type: ignore[type-arg]
    """An empty value keeps the stored one. A password field has one line, hence the file."""

    value = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Never shown again. Leave it empty to keep the stored value.",
    )
    value_file = forms.FileField(
        required=False,
        label="Value from a file",
        help_text="For values of several lines, such as a PEM key: a UTF-8 text of at most 64 kB.",
    )

    newline_left_out = False

    class Meta:
        model = Secret
        fields = ("name", "type", "allowed_users")

    def clean_value_file(self) -> str:
        upload = self.cleaned_data["value_file"]
        if not upload:
            return ""
        try:
            text: str = upload.read(LONGEST_BYTES + 1).decode()
        except UnicodeDecodeError:
            # The original error carries the value
            raise ValidationError("The file is no UTF-8 text of at most 64 kB.") from None
        self.newline_left_out = without_newline(text) != text
        return without_newline(text)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        typed, read = cleaned.get("value", ""), cleaned.get("value_file", "")
        if typed and read:
            raise ValidationError("Give the value or a file, not both.")
        if typed or read:
            self._validate(typed or read)
        elif self.instance.pk is None and not self.errors:
            self.add_error("value", "A secret needs a value.")
        return cleaned

    def new_value(self) -> str:
        """Empty where the stored value stays."""
        return str(self.cleaned_data.get("value") or self.cleaned_data.get("value_file") or "")

    def _validate(self, value: str) -> None:
        try:
            validate_value(value)
        except ValidationError as error:
            self.add_error("value", error)


class ReadOnly:
    """Nobody adds or changes through the admin."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class OwnerName:
    """The name of whom it belongs to, without a link: not everybody may see users."""

    @admin.display(description="owner")
    def owner_name(self, row: Any) -> str:
        return str(row.owner or "-")


class GranterName:
    @admin.display(description="granted by")
    def granter_name(self, grant: SecretGrant) -> str:
        return str(grant.granted_by or "-")


class SecretGrantInline(GranterName, ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """Ticking "delete" takes the secret from the job."""

    model = SecretGrant
    extra = 0
    fields = readonly_fields = ("job_kind", "job_id", "granter_name", "created_at")
    verbose_name = "job that may use it"
    verbose_name_plural = "jobs that may use it"


@admin.register(Secret)
class SecretAdmin(ShownColumnsOnly):
    form = SecretForm
    list_display = ("name", "id", "type", "key_id", "created_by", "created_at", "updated_at")
    list_filter = ("type",)
    list_select_related = ("created_by",)
    search_fields = ("name",)
    filter_horizontal = ("allowed_users",)
    readonly_fields = ("uuid", "key_id", "creator_name", "created_at", "updated_at")
    inlines = (SecretGrantInline,)

    @admin.display(description="created by")
    def creator_name(self, secret: Secret) -> str:
        return str(secret.created_by or "-")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Who may only look has no form, and so nothing to give a value in."""
        fields = super().get_fields(request, obj)
        if self.has_change_permission(request, obj) or obj is None:
            return fields
        return [name for name in fields if name not in ("value", "value_file")]

    def save_model(self, request: HttpRequest, obj: Secret, form: SecretForm, change: bool) -> None:
        columns = {"name", "type", "updated_at"}
        if value := form.new_value():
            obj.set_value(value)
            columns.add("ciphertext")
        if form.newline_left_out:
            self.message_user(request, "A newline at the end of the file was left out.", messages.WARNING)
        if change:
            # The stored text may have moved to another key while the form was open
            obj.save(update_fields=columns)
            return
        obj.created_by_id = request.user.pk
        obj.save()


@admin.register(SecretGrant)
class SecretGrantAdmin(GranterName, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("secret", "job_kind", "job_id", "granted_by", "created_at")
    list_filter = ("job_kind",)
    list_select_related = ("secret", "granted_by")
    search_fields = ("secret__name",)
    fields = readonly_fields = ("secret", "job_kind", "job_id", "granter_name", "created_at")


@admin.register(SecretUse)
class SecretUseAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("created_at", "secret_name", "job_kind", "job_id", "check_id")
    list_filter = ("job_kind",)
    date_hierarchy = "created_at"
    search_fields = ("secret_name", "check_id")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
