"""The form of a job in the admin: what may be edited, validated as the API validates it."""

import json
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive, ArchiveRejected
from customchecks.dependencies import detection
from customchecks.jobs import definition, etags, service
from customchecks.jobs.models import CustomCheckJob, SourceType
from customchecks.manifests.manifest import ManifestRefused
from secrets_app import references

EDITABLE = (
    "name",
    "tags",
    "script_source_type",
    "script_git_url",
    "script_git_branch",
    "script_git_commit",
    "script_git_path",
    "script_git_token",
    "script_source_policy",
    "script_runtime",
    "script_entrypoint",
    "check_params",
    "env_vars",
    "timeout_seconds",
    "resource_limits",
    "allow_source_builds",
    "poll_interval_seconds",
    "webhook_url",
    "webhook_method",
    "webhook_headers",
    "webhook_query_params",
    "webhook_signing_secrets",
    "deadline_seconds",
    "max_checks",
    "max_consecutive_errors",
    "alert_after_errors",
    "alert_url",
    "keboola_stack_url",
    "keboola_component_id",
    "keboola_configuration_id",
    "keboola_token",
    "keboola_variables",
    "keboola_on",
)


class IndentedEncoder(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


class CustomCheckJobForm(forms.ModelForm):  # type: ignore[type-arg]
    """``user`` is set by the admin: which secrets may be used depends on who asks."""

    user: User | AnonymousUser

    script = forms.FileField(
        required=False,
        label="Script",
        help_text="A .tgz of at most 10 MB with the entrypoint in it. Leave it empty to keep the stored script.",
    )

    class Meta:
        model = CustomCheckJob
        fields = EDITABLE
        help_texts = {
            "tags": 'A JSON list of words, such as ["exports", "team:data"].',
            "script_git_commit": "Empty: the branch is followed.",
            "script_git_path": "A folder of the repository. Empty: all of it.",
            "script_git_token": "secret_ref:NAME, for a private repository.",
            "script_source_policy": "What a check runs when the newest commit cannot be had or used.",
            "script_runtime": "python is python-3.11, node is node-20.",
            "script_entrypoint": "Empty: main.py or index.js.",
            "check_params": "A JSON object; the script gets it as CHECK_PARAMS, texts and numbers as variables too.",
            "env_vars": "A JSON object of strings; a value may hold secret_ref:NAME.",
            "resource_limits": 'Such as {"memory_mb": 512, "cpu_cores": 0.5}, which is the default.',
            "webhook_url": "Called once, when the job has ended.",
            "deadline_seconds": "Without a verdict for so long, the job fails with the cause deadline.",
            "max_checks": "After so many checks without a verdict it fails with the cause max_checks.",
            "max_consecutive_errors": "After so many errors in a row it fails with the cause max_consecutive_errors.",
            "alert_after_errors": "After so many errors in a row one alert is sent, and a word when they are over. "
            "Empty: none.",
            "alert_url": "Where alerts go, and that the job was given up. Empty: alerts go to the webhook.",
            "webhook_headers": "A JSON object of strings; a value may hold secret_ref:NAME.",
            "webhook_query_params": "A JSON object of strings, with {job_id} and the like in the values.",
            "keboola_stack_url": "Such as https://connection.keboola.com. Empty: no Keboola job is started.",
            "keboola_token": "secret_ref:NAME of Keboola's storage token.",
            "keboola_variables": "A JSON object of strings, with {data.x}, {job_name} and the like in the values.",
            "webhook_signing_secrets": 'A JSON list of one or two signing keys, such as ["secret_ref:hook-key"].',
        }

    definition = forms.CharField(required=False, widget=forms.HiddenInput)
    archive: Archive | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._etag = etags.of(self.instance) if self.instance.pk else ""
        self.initial["definition"] = self._etag
        for field in self.fields.values():
            field.show_hidden_initial = False  # else an emptied field counts as changed only in a browser
            if isinstance(field, forms.JSONField):
                field.encoder = IndentedEncoder

    @property
    def columns(self) -> list[str]:
        """The model's fields to write: of a stored job only those that were changed."""
        changed = self.cleaned_data if self.instance.pk is None else self.changed_data
        return [field for field in EDITABLE if field in changed]

    def clean_check_params(self) -> Any:
        return {} if self.cleaned_data["check_params"] is None else self.cleaned_data["check_params"]

    def clean_tags(self) -> Any:
        return self.cleaned_data["tags"] or []

    def clean_webhook_signing_secrets(self) -> Any:
        return self.cleaned_data["webhook_signing_secrets"] or []

    def clean_script(self) -> None:
        upload = self.cleaned_data["script"]
        if not isinstance(upload, UploadedFile):
            return
        try:
            self.archive = script_archive.normalise(cast(BinaryIO, upload), size_hint=upload.size)
        except ArchiveRejected as error:
            raise ValidationError(error.message, error.code) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.archive and cleaned.get("script_source_type") != SourceType.UPLOAD:
            self.add_error("script", "A script is uploaded only for the source type upload.")
        if self._etag and cleaned.get("definition") not in ("", self._etag):
            self.add_error(None, str(etags.ChangedMeanwhile()))
        self._check_references(cleaned)
        return cleaned

    def _check_references(self, cleaned: dict[str, Any]) -> None:
        for field in service.REFERRING:
            values = cleaned.get(field)
            values = service.referring(values) if isinstance(values, list) else values
            if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
                continue  # the field's own validator says so
            try:
                references.validate(values, user=self.user)
            except references.InvalidReferences as error:
                self.add_error(field, [f"{key}: {message}" for key, message in error.errors.items()])
        for field in service.TOKENS:
            try:
                references.validate({field: cleaned.get(field) or ""}, user=self.user)
            except references.InvalidReferences as error:
                self.add_error(field, list(error.errors.values()))

    def _post_clean(self) -> None:
        """What ``jobs`` would refuse only when it saves is said at the field."""
        super()._post_clean()  # type: ignore[misc]
        given = {field: getattr(self.instance, field) for field in EDITABLE if field in self.cleaned_data}
        try:
            definition.fill(self.instance, given)
        except ValidationError as error:
            for field in error.error_dict.keys() - self.errors.keys():
                self.add_error(field, error.error_dict[field])
        uploaded = self.instance.script_source_type == SourceType.UPLOAD
        archive = self.archive or (service.stored_archive(self.instance) if uploaded else None)
        entrypoint = self.instance.script_entrypoint
        if archive and "script_entrypoint" not in self.errors and not archive.has(entrypoint):
            self.add_error("script_entrypoint", f"The script has no file {entrypoint!r}.")
        if self.archive and "script_runtime" not in self.errors:
            try:
                detection.judge(self.archive, self.instance.use())
            except ManifestRefused as error:
                self.add_error("script", str(error))
