"""A field of a job is declared in one row: a row more is found everywhere."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import typer
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.test.utils import isolate_apps
from drf_spectacular.plumbing import ComponentRegistry
from rest_framework.generics import GenericAPIView
from typer.testing import CliRunner

from customchecks import admin
from customchecks.cli.support import declared_options, exit_codes
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.jobs import etags, export
from customchecks.jobs.declared import JOB
from customchecks.jobs.models import CustomCheckJob
from customchecks.jobs.serializers import JobSerializer
from customchecks.site import forms
from secrets_app import references
from teckochecker.access import auditing
from teckochecker.api.openapi import Schema
from teckochecker.kit import declared
from teckochecker.kit.declared import Field, Option, Secrets, Table, Takes

NOTES = Field(
    column="notes",
    section="Script",
    help="What to know.",
    options=(Option("--note", "K=V", Takes.PAIRS),),
    example={"who": "ada"},
    shape={"type": "object", "additionalProperties": {"type": "string"}},
    secrets=Secrets.INSIDE,
)
HELD = {"who": "secret_ref:ada"}


@pytest.fixture
def noted() -> Iterator[Any]:
    """The model of jobs with one more column, and its row in a copy of the table."""
    with isolate_apps("customchecks"):

        class NotedJob(CustomCheckJob):
            declared: ClassVar[Table] = JOB + Table((NOTES,))
            notes = models.JSONField(default=dict)

            class Meta:
                app_label = "customchecks"

            def __str__(self) -> str:
                return self.name

        yield NotedJob


@pytest.fixture
def job(noted: Any) -> Any:
    return noted(name="n", script_source_type="upload", script_runtime="python", notes=HELD)


@pytest.fixture
def serializer(noted: Any) -> Any:
    class NotedSerializer(JobSerializer):
        class Meta(JobSerializer.Meta):
            model = noted

    return NotedSerializer


def test_the_api_takes_it_and_shows_it(serializer: Any, job: Any) -> None:
    taken = serializer(job, data={"notes": {"a": "b"}}, partial=True)
    assert taken.is_valid(), taken.errors
    assert serializer(job).data["notes"] == {"a": "b"}


def test_the_api_leads_to_it_who_mistypes_it(serializer: Any, job: Any) -> None:
    refused = serializer(job, data={"note": {}}, partial=True)
    assert not refused.is_valid()
    assert refused.errors["note"] == ["There is no such field. Is notes meant?"]


def test_the_document_describes_it(serializer: Any) -> None:
    schema: Any = Schema()
    schema.registry, schema.view = ComponentRegistry(), GenericAPIView(request=None, format_kwarg=None)
    described = schema._map_serializer(serializer(), "request")["properties"]["notes"]
    assert described == {**(NOTES.shape or {}), "description": NOTES.help}
    assert Table((NOTES,)).example() == {"notes": {"who": "ada"}}


def test_the_command_line_has_its_option(noted: Any) -> None:
    told: list[Any] = []
    app = typer.Typer()

    @app.command()
    @declared_options.setting(noted.declared)
    def update(given: Given = NONE) -> None:
        told.append(declared_options.fields(noted, given, onto={}, before={"notes": {"a": "b"}}))

    assert "What to know. Repeatable." in CliRunner().invoke(app, ["--help"], terminal_width=200).output
    assert CliRunner().invoke(app, ["--note", "who=eve"]).exit_code == 0
    assert told == [{"notes": {"a": "b", "who": "eve"}}]


def test_a_message_names_the_option_of_every_field() -> None:
    assert set(JOB.columns) <= set(exit_codes.OPTIONS)
    assert Table((NOTES,)).options() == {"notes": "--note"}


def test_the_admin_edits_it_in_its_section(noted: Any) -> None:
    class NotedForm(forms.CustomCheckJobForm):
        class Meta(forms.CustomCheckJobForm.Meta):
            model = noted
            fields = noted.declared.columns
            help_texts = forms.help_texts(noted.declared)

    assert str(NotedForm().fields["notes"].help_text) == "What to know. A JSON object."
    assert "notes" in dict(admin.sections(noted.declared))["Script"]["fields"]


def test_it_is_exported_copied_and_part_of_the_definition(job: Any) -> None:
    (entry,) = export.exported([job], user=AnonymousUser())["jobs"]
    assert entry["notes"] == HELD
    assert declared.values(job)["notes"] == HELD
    before = etags.of(job)
    job.notes = {}
    assert etags.of(job) != before


def test_its_secrets_are_granted_and_masked_in_the_audit(noted: Any, job: Any) -> None:
    assert references.held_by(job)["notes.who"] == "secret_ref:ada"
    assert auditing.masked_fields(noted, ["name", "notes"]) == ["notes"]


def test_every_column_that_can_be_edited_is_declared() -> None:
    assert {column.name for column in CustomCheckJob._meta.fields if column.editable} - {"id"} == set(JOB.columns)


def test_every_column_of_json_has_a_shape() -> None:
    of_json = {column.name for column in CustomCheckJob._meta.fields if isinstance(column, models.JSONField)}
    assert {row.column for row in JOB if row.shape} == of_json & set(JOB.columns)


def test_the_help_names_the_defaults_of_the_columns() -> None:
    usual = declared.defaults(CustomCheckJob)
    named = {row.column: option.default for row in JOB for option in row.options if option.takes is Takes.WHOLE}
    assert {column: usual[column] for column in named if column != "resource_limits"} == {
        column: default for column, default in named.items() if column != "resource_limits"
    }
