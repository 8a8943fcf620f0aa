"""The form of a job in the admin. What it holds is validated and stored by the service that the API uses."""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive, ArchiveRejected
from customchecks.jobs import etags, service
from customchecks.jobs.declared import JOB
from customchecks.jobs.models import CustomCheckJob
from teckochecker.kit.declared import Field, Table

JSON_WORDS: Mapping[str, str] = {"object": "A JSON object.", "array": "A JSON list."}


class IndentedEncoder(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2})


def help_texts(table: Table) -> dict[str, str]:
    return {row.column: _help(row) for row in table if row.help}


def _help(row: Field) -> str:
    return f"{row.help} {JSON_WORDS[row.shape['type']]}" if row.shape else row.help


class CustomCheckJobForm(forms.ModelForm):  # type: ignore[type-arg]
    """It is valid when the service has taken it: then the job is stored, and ``instance`` is what was stored.

    ``user`` is set by the admin: which secrets may be used depends on who asks.
    """

    user: User | AnonymousUser

    script = forms.FileField(
        required=False,
        label="Script",
        help_text="A .tgz of at most 10 MB with the entrypoint in it. Leave it empty to keep the stored script.",
    )

    class Meta:
        model = CustomCheckJob
        fields = JOB.columns
        help_texts = help_texts(JOB)

    definition = forms.CharField(required=False, widget=forms.HiddenInput)
    archive: Archive | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["definition"] = etags.of(self.instance) if self.instance.pk else ""
        for field in self.fields.values():
            field.show_hidden_initial = False  # else an emptied field counts as changed only in a browser
            if isinstance(field, forms.JSONField):
                field.encoder = IndentedEncoder

    @property
    def data_to_store(self) -> dict[str, Any]:
        """By column: of a stored job only what was changed, as it may have ended while the form was open."""
        changed = self.cleaned_data if self.instance.pk is None else self.changed_data
        return {name: self._value(name) for name in JOB.columns if name in changed and name in self.cleaned_data}

    def _value(self, name: str) -> Any:
        """What was emptied is the default where the column takes no null."""
        value = self.cleaned_data[name]
        column: Any = CustomCheckJob._meta.get_field(name)
        return column.get_default() if value is None and not column.null else value

    def clean_script(self) -> None:
        upload = self.cleaned_data["script"]
        if not isinstance(upload, UploadedFile):
            return
        try:
            self.archive = script_archive.normalise(cast(BinaryIO, upload), size_hint=upload.size)
        except ArchiveRejected as error:
            raise ValidationError(error.message, error.code) from error

    def _post_clean(self) -> None:
        """In place of Django's own validation, which would look at the same once more."""
        try:
            self._store()
        except ValidationError as error:
            self._refuse(error.message_dict)
        except etags.ChangedMeanwhile as error:
            self.add_error(None, str(error))

    def _store(self) -> None:
        data, job = self.data_to_store, self.instance
        if self.errors:
            service.check_job(job, data, archive=self.archive, user=self.user)
        elif job.pk is None:
            self.instance = service.create_job(data, archive=self.archive, user=cast(User, self.user))
        else:
            match = self.cleaned_data["definition"] or None
            service.update_job(job, data, archive=self.archive, user=self.user, match=match)

    def _refuse(self, refusals: Mapping[str, list[str]]) -> None:
        """``env_vars.API_KEY`` is told at ``env_vars``."""
        for name, messages in refusals.items():
            field, _, key = name.partition(".")
            said = [f"{key}: {message}" if key else message for message in messages]
            self.add_error(field if field in self.fields else None, said)
