"""A list's query filters by values: neither a pattern nor a long search can keep the others waiting."""

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from secrets_app.access.models import ApiToken
from secrets_app.models import Secret

LISTED = list(admin.site._registry)


def changelist(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model.__name__)
def test_no_list_runs_a_pattern_of_its_visitor(model: type[Model], browser: Client) -> None:
    column = model._meta.concrete_fields[-1].name
    for lookup in ("regex", "iregex", "length__regex"):
        answer = browser.get(changelist(model), {f"{column}__{lookup}": "(a+)+$"})
        assert (answer.status_code, "patterns" in answer.content.decode()) == (400, True)


@pytest.mark.parametrize("model", LISTED, ids=lambda model: model.__name__)
def test_every_list_takes_the_longest_search_and_says_where_one_is_too_long(
    model: type[Model], browser: Client
) -> None:
    words = "a " * 127 + "a"
    assert browser.get(changelist(model), {"q": words}).status_code == 200
    answer = browser.get(changelist(model), {"q": f"{words} a"})
    assert (answer.status_code, "at most 255 characters" in answer.content.decode()) == (400, True)


@pytest.mark.parametrize(("model", "lookup"), [(Secret, "ciphertext__startswith"), (ApiToken, "digest__startswith")])
def test_no_list_is_filtered_by_what_nobody_may_see(model: type[Model], lookup: str, browser: Client) -> None:
    assert browser.get(changelist(model), {lookup: "a"}).status_code == 400
