"""API tokens: shown once, named, expiring, limited by a scope and by the user's role; seen and revoked by whom."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from secrets_app.access.models import ApiToken, Scope
from secrets_app.models import Secret
from tests.api.conftest import JOBS, PASSWORD, config

TOKENS = "/api/tokens"


def member(*roles: str, name: str = "somebody") -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def holder(user: User, scope: Scope = Scope.ADMIN, **columns: Any) -> APIClient:
    """A client with a new token of the user."""
    _, token = ApiToken.objects.create(user, scope=scope, **columns)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def logged_in(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(user)
    return client


def test_a_token_has_a_name_a_scope_and_an_end(db: None) -> None:
    client = logged_in(member())
    made = client.post(TOKENS, {"name": "ci", "scope": "read", "expires_in_days": 7}).json()
    assert made.pop("token").startswith(made["prefix"])
    (listed,) = client.get(TOKENS).json()["tokens"]
    assert listed == made
    assert (listed["name"], listed["user"], listed["scope"], listed["last_used_at"]) == ("ci", "somebody", "read", None)
    remaining = ApiToken.objects.get().expiry - timezone.now()
    assert timedelta(days=6) < remaining <= timedelta(days=7)


@pytest.mark.parametrize(
    ("field", "value"),
    [("scope", "root"), ("expires_in_days", 0), ("expires_in_days", 367), ("name", "x" * 101), ("user", "boss")],
)
def test_a_wrong_token_is_refused_by_field(db: None, field: str, value: Any) -> None:
    answer = logged_in(member()).post(TOKENS, {field: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_never_gives_more_than_the_role(db: None, scope: Scope) -> None:
    client = holder(member("viewer"), scope)
    assert client.get(JOBS).status_code == 200
    assert client.post(JOBS, config()).status_code == 403


@pytest.mark.parametrize(("scope", "code"), [(Scope.READ, 403), (Scope.OPERATE, 403), (Scope.ADMIN, 201)])
def test_a_scope_holds_back_a_superuser_too(boss: User, scope: Scope, code: int) -> None:
    answer = holder(boss, scope).post("/api/admin/secrets", {"name": "n", "value": "long enough"})
    assert (answer.status_code, Secret.objects.count()) == (code, int(code == 201))


def test_an_operator_uses_a_secret_in_a_job(make_secret: Callable[..., Secret]) -> None:
    make_secret("gemini")
    job = config(env_vars={"API_KEY": "secret_ref:gemini"})
    assert logged_in(member("operator")).post(JOBS, job).status_code == 201


def test_a_token_tells_when_it_was_last_used_with_a_write_a_minute_at_most(boss: User) -> None:
    client, now = holder(boss, Scope.READ), timezone.now()
    with time_machine.travel(now, tick=False):
        client.get(JOBS)
    assert ApiToken.objects.get().last_used_at == now
    with (
        time_machine.travel(now + timedelta(seconds=59), tick=False),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        client.get(JOBS)
    assert not [query for query in queries if query["sql"].startswith("UPDATE")]
    with time_machine.travel(now + timedelta(seconds=60), tick=False):
        client.get(JOBS)
    assert ApiToken.objects.get().last_used_at == now + timedelta(seconds=60)


def test_everybody_sees_and_revokes_their_own(db: None) -> None:
    one, other = member(name="one"), member(name="other")
    (mine, _), (theirs, _) = ApiToken.objects.create(one), ApiToken.objects.create(other)
    client = logged_in(one)
    assert [token["id"] for token in client.get(TOKENS).json()["tokens"]] == [mine.pk]
    assert client.delete(f"{TOKENS}/{theirs.pk}").status_code == 404
    assert client.delete(f"{TOKENS}/{mine.pk}").status_code == 204
    assert list(ApiToken.objects.all()) == [theirs]


def test_an_admin_sees_and_revokes_those_of_others(db: None) -> None:
    token, _ = ApiToken.objects.create(member(name="other"))
    client = logged_in(member("admin", name="one"))
    assert client.get(TOKENS, {"user": "other"}).json()["total"] == 1
    assert client.get(TOKENS, {"user": "one"}).json()["total"] == 0
    assert client.delete(f"{TOKENS}/{token.pk}").status_code == 204


def test_a_token_with_a_small_scope_sees_no_tokens_of_others_and_revokes_only_itself(boss: User) -> None:
    ApiToken.objects.create(member(name="other"))
    spare, _ = ApiToken.objects.create(boss)
    client = holder(boss, Scope.OPERATE)
    mine = ApiToken.objects.latest("pk")
    assert [token["id"] for token in client.get(TOKENS).json()["tokens"]] == [spare.pk, mine.pk]
    assert client.delete(f"{TOKENS}/{spare.pk}").status_code == 403
    assert client.delete(f"{TOKENS}/{mine.pk}").status_code == 204


def test_a_token_for_reading_revokes_itself(boss: User) -> None:
    client = holder(boss, Scope.READ)
    assert client.delete(TOKENS).status_code == 204
    assert client.get(JOBS).status_code == 401


def test_a_token_that_makes_a_token_is_told_what_does(db: None) -> None:
    answer = holder(member("admin")).post("/api/tokens", {})
    assert (answer.status_code, answer.json()["detail"]) == (
        401,
        "A token makes no token: use a password or a session.",
    )


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer", "TOKEN"])
def test_a_token_is_sent_as_bearer_or_as_token(boss: User, scheme: str) -> None:
    _, token = ApiToken.objects.create(boss)
    assert APIClient().get("/api/tokens", HTTP_AUTHORIZATION=f"{scheme} {token}").status_code == 200


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Digest abc", "The scheme 'Digest' of Authorization is not known. Use `Authorization: Bearer` with a token"),
        ("ApiKey tck_abc", "The scheme 'ApiKey' of Authorization is not known."),
        ("tck_abc", "The token stands alone in Authorization. Use `Authorization: Bearer` with a token"),
        ("Bearer", "After Bearer comes one token, without spaces in it."),
        ("Bearer tck_a b", "After Bearer comes one token, without spaces in it."),
        ("Bearer tck_abc", "Invalid token."),
    ],
)
@pytest.mark.django_db
def test_a_wrong_scheme_is_told_which_there_are(header: str, said: str) -> None:
    answer = APIClient().get("/api/custom-checks", HTTP_AUTHORIZATION=header)
    assert (answer.status_code, answer.json()["detail"][: len(said)]) == (401, said)
    assert answer.headers["WWW-Authenticate"]


def test_a_bearer_token_makes_no_token(boss: User) -> None:
    _, token = ApiToken.objects.create(boss, scope=Scope.ADMIN)
    answer = APIClient().post("/api/tokens", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (answer.status_code, answer.json()["detail"][:21]) == (401, "A token makes no toke")


def test_the_document_names_the_bearer_scheme(client: APIClient) -> None:
    schemes = client.get("/api/schema").json()["components"]["securitySchemes"]
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize("path", ["/api/tokens", "/api/custom-checks", "/api/nothing", "/metrics", "/api/health"])
def test_no_answer_is_kept_on_its_way(path: str, db: None) -> None:
    assert logged_in(member("admin")).get(path).headers["Cache-Control"] == "no-store"
