"""The OpenAPI document describes every call, and its examples are what it says."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from teckochecker.api import openapi

RECIPE = (
    "Give its method a docstring, whose first line is the summary, and its viewset @extend_schema(tags=[…]); what it "
    "takes and answers, where that is not the viewset's serializer, in @extend_schema of the method. The recipe is in "
    "CONTRIBUTING.md."
)
Call = tuple[str, dict[str, Any]]


def calls() -> list[Call]:
    paths = openapi.document()["paths"]
    return [(f"{method.upper()} {path}", call) for path, item in paths.items() for method, call in item.items()]


def contents(call: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of what the call takes and of what it answers, but for errors."""
    for media_type, content in call.get("requestBody", {}).get("content", {}).items():
        yield f"its body ({media_type})", content
    for status, answer in call["responses"].items():
        for content in answer.get("content", {}).values():
            yield f"its answer {status}", content


def resolved(shape: Any) -> Any:
    """JSON schema proper: null is a type there."""
    if isinstance(shape, list):
        return [resolved(part) for part in shape]
    if not isinstance(shape, dict):
        return shape
    plain = {key: resolved(value) for key, value in shape.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if shape.get("nullable") is True else plain


def test_the_document_is_made_without_a_warning_and_is_valid(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_every_call_is_described() -> None:
    undescribed = [key for key, call in calls() if not call.get("summary") or not call.get("tags")]
    assert undescribed == [], f"not described in the OpenAPI document: {undescribed}. {RECIPE}"


@pytest.mark.parametrize(("key", "call"), calls(), ids=[key for key, _ in calls()])
def test_a_call_has_a_summary_examples_and_its_errors(key: str, call: dict[str, Any]) -> None:
    assert call["summary"], f"{key} has no summary"
    assert set(call["tags"]) <= set(openapi.TAGS), f"{key}: name the tag in TAGS of teckochecker/api/openapi.py"
    bare = [name for name, content in contents(call) if "examples" not in content]
    assert bare == [], f"{key}: no example for {bare}"
    statuses = set(call["responses"])
    assert any(status < "400" for status in statuses)
    implied = {"404"} if "{" in key else set()
    if call["security"] != [{}]:
        implied |= {"401", "403", "429"}
    if "requestBody" in call:
        implied |= {"413", "415"}
        assert statuses & {"400", "422"}
    assert implied <= statuses


@pytest.mark.parametrize(("key", "call"), calls(), ids=[key for key, _ in calls()])
def test_the_examples_of_a_call_fit_their_shapes(key: str, call: dict[str, Any]) -> None:
    components = resolved(openapi.document()["components"])
    for name, content in contents(call):
        shape = {**resolved(content["schema"]), "components": components}
        for example in content["examples"].values():
            errors = [error.message for error in jsonschema.Draft202012Validator(shape).iter_errors(example["value"])]
            assert errors == [], f"{key}: the example of {name} is not what its shape says"


def test_the_examples_of_answers_show_every_field() -> None:
    components = openapi.document()["components"]["schemas"]
    for key, call in calls():
        for name, content in contents(call):
            component = content["schema"].get("$ref", "").rpartition("/")[2]
            if name.startswith("its answer") and component:
                left_out = set(components[component]["properties"]) - set(content["examples"]["Example"]["value"])
                assert left_out == set(), f"{key}: the example of {name} lacks {sorted(left_out)}"


def test_the_examples_of_errors_fit_the_one_shape() -> None:
    components = openapi.document()["components"]
    for answer in components["responses"].values():
        (content,) = answer["content"].values()
        assert content["schema"] == {"$ref": "#/components/schemas/Error"}
        jsonschema.validate(content["examples"]["Example"]["value"], components["schemas"]["Error"])


def test_the_document_is_json_unless_yaml_is_asked_for(client: APIClient) -> None:
    assert client.get("/api/schema").json()["openapi"].startswith("3.")
    answer = client.get("/api/schema/", HTTP_ACCEPT="application/yaml")
    assert answer.headers["Content-Type"].startswith("application/yaml")
    assert answer.content.startswith(b"openapi: 3.")


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc/"])
def test_the_pages_let_the_browser_load_from_here_only(client: APIClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "://" not in policy
    assert "://" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs", "/api/redoc"])
def test_whoever_may_log_in_may_read_about_the_calls(login: Any, path: str) -> None:
    assert login().get(path).status_code == 200
    assert Client().get(path).status_code == 401


def test_no_filter_is_filled_in_where_somebody_only_tries_a_call() -> None:
    """Swagger UI fills in what is an example."""
    queries = [
        parameter
        for item in openapi.document()["paths"].values()
        for call in item.values()
        for parameter in call.get("parameters", ())
        if parameter["in"] == "query"
    ]
    assert queries
    assert [each["name"] for each in queries if {"example", "examples"} & {*each, *each["schema"]}] == []
