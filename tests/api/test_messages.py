"""Messages name the thing and what to do about it, in the words of the API."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from polling.jobs.groups import JobGroup
from polling.openai.models import PollingJob
from secrets_app.models import Secret

ODD: list[Any] = ["odd", "", 3, -1, 10**12, 2.5, True, [], [1], {}, {"a": 1}, {"memory_mb": 1}, None]
COLLECTIONS = {
    "/api/custom-checks": "job",
    "/api/jobs": "polling job",
    "/api/groups": "job group",
    "/api/admin/secrets": "secret",
}


@pytest.fixture
def client(admin_user: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(admin_user)
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("path", COLLECTIONS)
def test_what_is_not_there_is_named_with_the_call_that_lists_what_is(client: APIClient, path: str) -> None:
    answer = client.get(f"{path}/987")
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"There is no {COLLECTIONS[path]} 987. GET {path} lists those that there are."}
    assert client.get(path).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "thing", "listed_by"),
    [
        ("get", "/api/tokens/987", "token 987", "/api/tokens"),
        ("delete", "/api/tokens/987", "token 987", "/api/tokens"),
        ("get", "/api/custom-checks/by-name/nightly", "job named 'nightly'", "/api/custom-checks"),
    ],
)
def test_so_is_what_is_looked_for_in_another_way(
    client: APIClient, method: str, path: str, thing: str, listed_by: str
) -> None:
    answer = getattr(client, method)(path)
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"There is no {thing}. GET {listed_by} lists those that there are."}


@pytest.mark.django_db
@pytest.mark.parametrize("below", ["logs", "script/versions", "checks/00000000-0000-0000-0000-000000000000"])
def test_so_is_a_job_whose_parts_are_asked_for(client: APIClient, below: str) -> None:
    assert client.get(f"/api/custom-checks/987/{below}").json()["detail"].startswith("There is no job 987. GET /api/")


def fields() -> Iterator[tuple[str, str]]:
    for path, model in (("custom-checks", CustomCheckJob), ("groups", JobGroup), ("jobs", PollingJob)):
        yield from ((f"/api/{path}", field.name) for field in model._meta.get_fields() if field.concrete)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "field"), list(fields()))
def test_no_message_begins_with_the_name_of_its_field_once_more(client: APIClient, path: str, field: str) -> None:
    for odd in ODD:
        answer = client.post(path, {"name": "x", field: odd}, format="json").json()
        for name, messages in answer.get("errors", {}).items():
            assert not [message for message in messages if message.startswith(f"{name} ")], answer


@pytest.mark.django_db
def test_a_secret_of_a_name_that_is_taken_is_told_what_to_do(client: APIClient) -> None:
    made = {"name": "gemini", "value": "long enough a value"}
    assert client.post("/api/admin/secrets", made, format="json").status_code == 201
    again = client.post("/api/admin/secrets", made, format="json")
    expected = "There is a secret named 'gemini' already: give that one a new value, or choose another name."
    assert (again.status_code, again.json()["detail"]) == (409, expected)


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_a_newline_at_the_end_of_a_value_is_refused_with_a_word(client: APIClient, end: str) -> None:
    answer = client.post("/api/admin/secrets", {"name": "a", "value": f"long enough{end}"}, format="json")
    assert (answer.status_code, "ends with a newline" in answer.json()["errors"]["value"][0]) == (400, True)


@pytest.mark.django_db
def test_a_key_of_several_lines_keeps_its_last_newline(client: APIClient) -> None:
    key = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    assert client.post("/api/admin/secrets", {"name": "a", "value": key}, format="json").status_code == 201
    assert Secret.objects.get().value() == key


@pytest.mark.django_db
def test_a_second_job_of_a_name_warns(client: APIClient) -> None:
    definition = {"name": "nightly", "script_source_type": "upload", "script_runtime": "python"}
    first = client.post("/api/custom-checks", definition, format="json")
    assert "Warning" not in first.headers
    second = client.post("/api/custom-checks", definition, format="json")
    said = f"This name is already that of number {first.json()['id']}: say by number which one is meant."
    assert (second.status_code, second.headers["Warning"]) == (201, f'299 TeckoChecker "{said}"')
