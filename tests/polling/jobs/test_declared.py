"""The fields of a group are declared once, and every way to a group has them from there."""

from polling.jobs.declared import GROUP
from polling.jobs.groups import JobGroup
from polling.site.group_admin import GroupForm, JobGroupAdmin
from polling.site.group_serializers import GroupFieldsSerializer, GroupSerializer
from teckochecker.kit.declared import Secrets

REFERRING = {"webhook_headers", "webhook_query_params", "webhook_signing_secrets"}


def test_every_column_of_a_group_that_may_be_set_is_declared() -> None:
    assert {field.name for field in JobGroup._meta.concrete_fields if field.editable} - {"id"} == set(GROUP.columns)


def test_the_api_takes_and_shows_what_is_declared() -> None:
    assert set(GROUP.columns) == set(GroupFieldsSerializer().fields) - {"members"}
    assert set(GROUP.columns) < set(GroupSerializer().fields)


def test_the_admin_asks_for_what_is_declared() -> None:
    shown = {name for _, section in JobGroupAdmin.fieldsets[:-1] for name in section["fields"]}
    assert shown == {*GROUP.columns, "members"} == set(GroupForm.base_fields)


def test_a_group_holds_secrets_where_its_call_does() -> None:
    assert set(GROUP.holding()) == REFERRING
    assert GROUP.holding(Secrets.WHOLE) == ("webhook_signing_secrets",)
