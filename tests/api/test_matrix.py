"""Every endpoint as everybody: the endpoints are read from the URLs, and who may from ``tests/api/matrix.py``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from secrets_app.access.models import ApiToken, Scope
from tests.api.matrix import PRINCIPALS, ROWS
from tests.polling.sweep.leases import on_duty

METHODS = ("get", "post", "put", "patch", "delete")
FOLDERS = ("api/", "metrics")
UNNAMED = "(URL without a name)"


@dataclass(frozen=True)
class Endpoint:
    name: str
    method: str
    route: str

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


def endpoints() -> list[Endpoint]:
    return [
        Endpoint(pattern.name or UNNAMED, method.upper(), route)
        for route, pattern in walk(get_resolver().url_patterns, "")
        if route.replace("^", "").startswith(FOLDERS)
        for method in served(pattern.callback)
    ]


def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route, pattern


def served(callback: Any) -> list[str]:
    if actions := getattr(callback, "actions", None):  # of a viewset
        return [method for method in METHODS if method in actions]
    view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    return [method for method in METHODS if view is None or hasattr(view, method)]


@pytest.mark.parametrize("endpoint", endpoints(), ids=str)
def test_every_endpoint_has_a_row(endpoint: Endpoint) -> None:
    assert endpoint.name != UNNAMED, f"Give the URL {endpoint.route} a name, and then a row in tests/api/matrix.py."
    assert (endpoint.name, endpoint.method) in ROWS, (
        f"{endpoint.method} {endpoint.route} is new. Who may call it? Add its row to ROWS in tests/api/matrix.py, "
        f'such as ("{endpoint.name}", "{endpoint.method}"): Row(OPERATE, 200, of="job").'
    )


def test_every_row_has_an_endpoint() -> None:
    assert set(ROWS) - {(endpoint.name, endpoint.method) for endpoint in endpoints()} == set()


@pytest.fixture
def everybody(db: None) -> dict[str, APIClient]:
    on_duty()
    users = {name: User.objects.create_user(name) for name in ("viewer", "operator", "admin")}
    for name, user in users.items():
        user.groups.add(Group.objects.get(name=name))
    found = {who: APIClient(raise_request_exception=False) for who in PRINCIPALS}
    for name, user in users.items():
        found[name].force_login(user)
    for who, options in {
        "read token": {"scope": Scope.READ},
        "operate token": {"scope": Scope.OPERATE},
        "expired token": {"scope": Scope.ADMIN, "expiry": timedelta(seconds=-1)},
    }.items():
        _, token = ApiToken.objects.create(users["admin"], **options)
        found[who].credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return found


@pytest.mark.parametrize(("name", "method"), ROWS, ids=lambda value: value)
def test_everybody_is_answered_as_the_matrix_says(
    everybody: dict[str, APIClient], things: dict[str, dict[str, Any]], name: str, method: str
) -> None:
    row = ROWS[name, method]
    path = reverse(name, kwargs=things[row.of])
    answers = {
        who: answer(client, method, path, row.body, multipart=row.multipart) for who, client in everybody.items()
    }
    assert answers == row.expected(), f"If this is meant, change the row of {method} {name} in tests/api/matrix.py."


def answer(client: APIClient, method: str, path: str, body: Any, *, multipart: bool) -> int:
    """The status code; whatever the call has changed is as before."""
    call = getattr(client, method.lower())
    data = {} if method == "GET" else {"data": body, "format": "multipart" if multipart else "json"}
    with transaction.atomic():
        code: int = call(path, **data).status_code
        transaction.set_rollback(True)
    return code
