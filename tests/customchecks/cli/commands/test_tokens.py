"""``customcheck token``."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.cli.support.exit_codes import Exit
from secrets_app.access.models import ApiToken
from tests.customchecks.cli.conftest import Cli, Ended

Here = Callable[..., Ended]


def code(token: str) -> int:
    return int(APIClient().get("/api/custom-checks", HTTP_AUTHORIZATION=f"Token {token}").status_code)


def test_a_token_is_made_listed_and_revoked(cli: Cli) -> None:
    made = cli("token", "create", "nightly import", "--scope", "read", "--days", "7")
    token = made.out.strip()
    assert (made.code, code(token)) == (Exit.OK, 200)
    listed = cli("token", "list")
    assert listed.out.split("\t")[1:5] == ["nightly import", "boss", "read", token[:15]]
    assert token not in listed.out
    assert cli("token", "revoke", listed.out.split("\t")[0]).code == Exit.OK
    assert code(token) == 401


def test_a_token_may_be_somebodys_with_the_apis_field_names(here: Here) -> None:
    User.objects.create_user("ada")
    made = here("token", "create", "ci", "--user", "ada", "--json").json
    assert made["token"].startswith(made["prefix"])
    assert (made["user"], made["scope"]) == ("ada", "operate")
    assert ApiToken.objects.get().expiry - timezone.now() > timedelta(days=89)
    assert here("token", "list", "--user", "boss", "--json").json == {"tokens": [], "total": 0}
    assert here("token", "list", "--user", "ada", "--json").json["tokens"][0]["name"] == "ci"


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (("create", "x", "--user", "nobody"), Exit.NOT_FOUND),
        (("create", "x", "--days", "367"), Exit.USAGE),
        (("create", "x", "--scope", "root"), Exit.USAGE),
        (("revoke", "17"), Exit.NOT_FOUND),
    ],
)
def test_what_is_wrong_is_told_by_the_exit_code(cli: Cli, words: tuple[str, ...], ending: Exit) -> None:
    assert cli("token", *words).code == ending
    assert not ApiToken.objects.exists()
