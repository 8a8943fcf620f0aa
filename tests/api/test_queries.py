"""A word in a query that a call does not know is refused by name, and told which one is near."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from teckochecker.api import openapi
from tests.api.conftest import JOBS
from tests.polling.sweep.leases import on_duty


@pytest.mark.parametrize(
    ("path", "word", "nearest"),
    [
        (JOBS, "stauts", "status"),
        (JOBS, "tags", "tag"),
        (JOBS, "Limit", "limit"),
        (JOBS, "order", "ordering"),
        (f"{JOBS}/export", "serach", "search"),
        ("/api/deliveries", "stat", "status"),
        ("/api/audit", "untill", "until"),
        ("/api/tokens", "users", "user"),
        ("/api/groups", "state", "status"),
    ],
)
def test_a_mistyped_word_is_refused_with_the_nearest(client: APIClient, path: str, word: str, nearest: str) -> None:
    answer = client.get(path, {word: "x"})
    assert answer.status_code == 400
    assert answer.json() == {
        "detail": f"{word}: There is no such parameter. Is {nearest} meant?",
        "errors": {word: [f"There is no such parameter. Is {nearest} meant?"]},
    }


def test_a_word_that_is_like_none_is_told_which_there_are(client: APIClient) -> None:
    answer = client.get("/api/tokens", {"colour": "red", "user": "boss"})
    assert answer.json()["errors"] == {"colour": ["There is no such parameter; there is user, limit, offset."]}


def test_every_wrong_word_is_told(client: APIClient) -> None:
    assert set(client.get(JOBS, {"a": 1, "b": 2, "limit": 3}).json()["errors"]) == {"a", "b"}


def test_the_calls_of_0_9_answer_422_as_for_all_wrong_input(client: APIClient) -> None:
    answer = client.get("/api/jobs", {"stauts": "active"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "stauts: There is no such parameter. Is status meant?",
    )
    assert client.get("/api/jobs", {"status": "active"}).status_code == 200


def test_a_call_without_parameters_says_so_and_does_nothing(client: APIClient, things: dict[str, Any]) -> None:
    job = f"{JOBS}/{things['job']['pk']}"
    answer = client.delete(f"{job}?dry_run=true")
    assert (answer.status_code, answer.json()["detail"]) == (400, "dry_run: This call takes no parameters.")
    assert client.get(job).status_code == 200


def test_whoever_watches_the_server_may_add_what_they_like(boss: Any) -> None:
    on_duty()
    assert APIClient().get("/api/health", {"cachebuster": 1}).status_code == 200


def test_pages_of_the_admin_know_their_own(client: APIClient, boss: Any) -> None:
    client.force_login(boss)
    assert client.get("/admin/customchecks/customcheckjob/", {"status__exact": "active"}).status_code == 200


GETS = {path: item["get"] for path, item in openapi.document()["paths"].items() if "get" in item}


@pytest.mark.parametrize("path", [path for path in GETS if path != "/api/health"])
def test_no_call_ignores_a_word(client: APIClient, things: dict[str, Any], path: str) -> None:
    kinds = {"custom-checks": "job", "jobs": "polling job", "deliveries": "delivery", "secrets": "secret"}
    kinds |= {"tokens": "token", "groups": "group"}
    refused = 422 if "422" in GETS[path]["responses"] else 400
    first = next((word for word in path.split("/") if word in kinds), "")
    named = things.get(kinds.get(first, ""), {}) | things["check"] | things["name"]
    number = things[kinds[first]]["pk"] if first else ""
    path = path.replace("{id}", str(number)).replace("{name}", named["name"])
    answer = client.get(path.replace("{check_id}", str(named["check_id"])), {"no_such_word": "x"})
    assert (answer.status_code, "no_such_word" in answer.json()["errors"]) == (refused, True)
