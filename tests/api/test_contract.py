"""What the OpenAPI document says is what happens: schemathesis makes calls up, good and bad, and looks at each answer.

A call may answer with the statuses, media types, headers and shapes that are documented for it, and with nothing else;
a body or parameter that breaks its shape is refused, and so is a method that the path does not have.
"""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.urls import get_resolver
from drf_spectacular.generators import EndpointEnumerator
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from secrets_app.access.models import ApiToken, Scope
from teckochecker.api import openapi
from teckochecker.wsgi import application
from tests.api.conftest import PASSWORD
from tests.api.matrix import ROWS
from tests.api.test_matrix import walk
from tests.conftest import MADE_UP_CALLS
from tests.polling.sweep.leases import on_duty

CONFIG = {
    "seed": 20260131,
    "generation": {"mode": "all", "deterministic": True, "max-examples": 20, "with-security-parameters": False},
    "phases": {"stateful": {"enabled": False}, "coverage": {"unexpected-methods": ["PUT", "PATCH", "DELETE"]}},
    # What a body means is more than its shape can say: a repository has to be public, a name free, a batch id unique
    "checks": {
        "positive_data_acceptance": {"enabled": False},
        "ignored_auth": {"enabled": False},  # test_matrix tries every call as everybody
        "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 409, 412, 413, 415, 422]},
    },
}
UNKNOWN_ONE_IN = 4

_paths = EndpointEnumerator(patterns=[])
NAMES = {
    _paths.get_path_from_regex(f"/{route}").rstrip("/").replace("{pk}", "{id}"): pattern.name
    for route, pattern in walk(get_resolver().url_patterns, "")
}

schema = schemathesis.openapi.from_dict(openapi.document(), config=SchemathesisConfig.from_dict(CONFIG))
schema.app = application


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """The application stays in the test's transaction, as with Django's own test client."""
    around = (request_started, request_finished)
    for signal in around:
        signal.disconnect(close_old_connections)
    yield
    for signal in around:
        signal.connect(close_old_connections)


@pytest.fixture
def made_up(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    found: list[str] = []
    yield found
    request.node.user_properties.append((MADE_UP_CALLS, len(found)))


@pytest.fixture
def logins(boss: User) -> dict[str, str]:
    on_duty()  # else health is a 503
    _, token = ApiToken.objects.create(boss, scope=Scope.ADMIN)
    password = base64.b64encode(f"boss:{PASSWORD}".encode()).decode()
    return {"basic": f"Basic {password}", "token": f"Token {token}"}


@pytest.mark.usefixtures("one_connection")
@schema.parametrize()
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(
    case: schemathesis.Case, logins: dict[str, str], things: dict[str, dict[str, Any]], made_up: list[str]
) -> None:
    made_up.append(case.operation.label)
    path = case.meta and case.meta.components.get(ParameterLocation.PATH)
    if path and path.mode.is_positive and len(made_up) % UNKNOWN_ONE_IN:
        case.path_parameters.update(existing(case, things))
    if len(made_up) % 2:
        (case.headers or {}).pop("If-Match", None)  # nobody guesses one, and then nothing else would be looked at
    scheme = "token" if case.operation.label == "DELETE /api/tokens" else "basic"
    with transaction.atomic():
        case.call_and_validate(headers={"Authorization": logins[scheme]})
        transaction.set_rollback(True)


def existing(case: schemathesis.Case, things: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The parameters of the case's path for one that is there."""
    name = NAMES[case.operation.path]
    found = things[ROWS[name, case.operation.method.upper()].of]
    return {"id" if key == "pk" else key: str(value) for key, value in found.items()}
