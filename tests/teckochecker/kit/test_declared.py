"""A table of fields, and what is made from it."""

from typing import ClassVar

import pytest
from django.db import models
from django.test.utils import isolate_apps

from teckochecker.kit import declared
from teckochecker.kit.declared import Field, Option, Secrets, Table, Takes

NAME = Field(column="name", section="", help="What it is called.", options=(Option("--name", "NAME"),), example="a")
TOKEN = Field(column="token", section="Call", options=(Option("--token-secret", "S", Takes.SECRET),))
LIMITS = Field(
    column="limits", section="Call", options=(Option("--memory", "MB", key="mb"), Option("--cpu", "N", key="cpu"))
)
HEADERS = Field(column="headers", section="Call", secrets=Secrets.INSIDE)
KEY = Field(column="key", section="Other", secrets=Secrets.WHOLE)
THINGS = Table((NAME, TOKEN, HEADERS, KEY))


def test_fields_are_shown_by_section_in_the_order_of_the_table() -> None:
    assert THINGS.sections() == {"": ["name"], "Call": ["token", "headers"], "Other": ["key"]}


def test_a_table_tells_which_fields_can_hold_secrets_and_how() -> None:
    assert THINGS.holding() == ("headers", "key")
    assert THINGS.holding(Secrets.WHOLE) == ("key",)


def test_a_message_names_all_options_of_a_field() -> None:
    assert Table((LIMITS, HEADERS)).options() == {"limits": "--memory, --cpu"}
    assert TOKEN.options[0].parameter == "token_secret"


def test_an_example_has_the_fields_that_have_one() -> None:
    assert THINGS.example() == {"name": "a"}


def test_a_column_is_declared_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Table((NAME,)) + Table((NAME,))


@isolate_apps("polling")
def test_a_model_has_a_table() -> None:
    class Thing(models.Model):
        declared: ClassVar[Table] = Table((NAME, HEADERS))
        name = models.CharField(default="new")
        headers = models.JSONField(default=dict)

        class Meta:
            app_label = "polling"

        def __str__(self) -> str:
            return self.name

    assert declared.of(Thing)["name"] is NAME
    assert declared.defaults(Thing) == {"name": "new", "headers": {}}
    assert declared.values(Thing(name="x")) == {"name": "x", "headers": {}}
    assert declared.of(models.Model) == Table()
