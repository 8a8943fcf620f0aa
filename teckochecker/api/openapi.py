"""The OpenAPI document, made by drf-spectacular from the views, their serializers and filters.

A method's docstring is the summary of its call and what there is to say about it, the ``example`` of a serializer its
example. What the form of a call implies, such as 404 for one with an id in its path, is added here.
"""

import functools
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.serializers import ListSerializer

from teckochecker.kit import declared
from teckochecker.kit.api.openapi import ErrorSerializer

TAGS: Mapping[str, str] = {
    "Custom checks": "Jobs whose question is a script.",
    "Scripts": "Where a job's script comes from, and which version of it runs.",
    "Groups": "One call for several jobs.",
    "Deliveries": "The calls that jobs owe when they end.",
    "OpenAI batches": "Jobs that watch batches, as in version 0.9.",
    "Secrets": "Values that go in and never come out.",
    "Access": "Who may call.",
    "System": "How the server is.",
}
ALWAYS = (401, 403, 429)
TAKES_A_BODY = ("create", "update", "partial_update")

WRONG = "Something in the request is wrong; `errors` has the messages by field. Nothing was stored."
# What it means, and an example of ``detail``; with a field before a colon, ``errors`` has its message
ERRORS: Mapping[int, tuple[str, str]] = {
    400: (WRONG, "poll_interval_seconds: poll_interval_seconds is from 10 to 86400."),
    401: ("Nobody has logged in.", "Authentication credentials were not provided."),
    403: ("Whoever has logged in may not do this.", "You do not have permission to perform this action."),
    404: ("What the path names is not there.", "It is not there any more."),
    409: ("What it is in now does not allow this.", "A job that is active cannot be resumed; it must be paused."),
    412: (
        "Somebody else has changed it since: `If-Match` names an older `ETag`.",
        "The job has changed since you read it. Read it again and repeat your change.",
    ),
    413: ("The body is too large.", "A request has at most 11 MB, a script archive at most 10 MB."),
    415: ("The body has a media type that this call does not take.", 'Unsupported media type "text/plain"'),
    422: (WRONG, "name: This field is required."),
    429: (
        "Too many calls, or too many wrong passwords.",
        "Request was throttled. Expected available in 30 seconds.",
    ),
    503: ("A part of TeckoChecker that this call needs is not there.", "The Docker Engine does not answer."),
}
ERROR_HEADERS: Mapping[int, tuple[str, str]] = {
    401: ("WWW-Authenticate", "How one logs in."),
    429: ("Retry-After", "Seconds until the next try can succeed."),
}


@functools.cache
def _path(route: str) -> str:
    return str(EndpointEnumerator(patterns=[]).get_path_from_regex(route)).rstrip("/").replace("{pk}", "{id}")


@functools.cache
def document() -> dict[str, Any]:
    """For everybody the same, however little they may do."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def described(request: Request | HttpRequest, method: str) -> dict[str, Any]:
    """What the document says of a call of the request's path with this method; nothing where it does not know it."""
    route = request.resolver_match.route if request.resolver_match else ""
    found: dict[str, Any] = document()["paths"].get(_path(route), {}).get(method.lower(), {})
    return found


def resolved(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """The component that is meant where one is named."""
    name = shape.get("$ref", "").rpartition("/")[2]
    return document()["components"]["schemas"][name] if name else shape


class Schema(AutoSchema):
    """One call."""

    call = staticmethod(described)
    resolved = staticmethod(resolved)

    def get_summary(self) -> str:
        """The first line of the method's docstring."""
        summary = self._docstring()[0].removesuffix(".")
        if not summary:
            warn(f"{self.method} {self.path} needs a docstring, whose first line is its summary; see CONTRIBUTING.md")
        return summary

    def get_description(self) -> str:  # type: ignore[override]
        return " ".join(self._docstring()[1].split())

    def _docstring(self) -> tuple[str, str]:
        method = getattr(self.view, getattr(self.view, "action", self.method.lower()), None)
        first, _, others = get_doc(method).partition("\n")
        return first, others

    def get_operation_id(self) -> str:
        """The view's word for what it does: ``custom_checks_pause``, not ``custom_checks_pause_create``."""
        path = "_".join(self._tokenize_path()).replace("-", "_")
        method = self.method.lower()
        action = method if method == "patch" else getattr(self.view, "action", method)
        return path if path.endswith(action.removesuffix("_many")) else f"{path}_{action}"

    def get_request_serializer(self) -> Any:
        """Other calls than these take none, unless they say so."""
        return super().get_request_serializer() if getattr(self.view, "action", None) in TAKES_A_BODY else None

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        """As in a PUT: which fields a PATCH wants is said where its body is."""
        method, self.method = self.method, "PUT"
        try:
            return super()._get_request_for_media_type(serializer, direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = method

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}Page"

    def _get_examples(
        self, serializer: Any, direction: Any, media_type: str, status_code: str | None = None, extras: Any = None
    ) -> Any:
        """The call's own, or else the serializer's."""
        if not extras and (example := _example(serializer, direction)) is not None:
            extras = [OpenApiExample("Example", example)]
        return super()._get_examples(serializer, direction, media_type, status_code, extras)  # type: ignore[no-untyped-call]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answers: dict[str, Any] = super()._get_response_bodies(direction)
        for status, answer in answers.items():
            if answer["description"] in ("", "No response body"):
                answer["description"] = HTTPStatus(int(status)).phrase
        refusals = {*self._declared_refusals(), *self._implied_refusals()}
        return answers | {str(s): {"$ref": f"#/components/responses/Error{s}"} for s in sorted(refusals)}

    def _declared_refusals(self) -> list[int]:
        answers = self.get_response_serializers()
        shapes: dict[int, Any] = answers if isinstance(answers, dict) else {}
        return [status for status, shape in shapes.items() if shape is ErrorSerializer]

    def _implied_refusals(self) -> set[int]:
        found = set(ALWAYS if self.view.get_authenticators() else ())
        takes_body = self._get_request_body() is not None  # type: ignore[no-untyped-call]
        if "{" in self.path:
            found.add(404)
        if takes_body or any(parameter["in"] == "query" for parameter in self._get_parameters()):
            found.add(getattr(self.view, "invalid", HTTPStatus.BAD_REQUEST))
        return found | ({413, 415} if takes_body else set())


def _example(serializer: Any, direction: str) -> Any:
    """``example`` of a serializer, without what it does not show, or does not take."""
    one: Any = serializer.child if isinstance(serializer, ListSerializer) else serializer
    example = getattr(one, "example", None)
    if not isinstance(example, Mapping):
        return example
    fields = (one() if isinstance(one, type) else one).fields
    hidden = "write_only" if direction == "response" else "read_only"
    return {name: value for name, value in example.items() if not getattr(fields[name], hidden)}


def without_final_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Every path works with one too; the documented ones have none."""
    return [(path.rstrip("/"), *others) for path, *others in endpoints]


def finish(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds the error answers and the tags, and says that no object has other fields than those described."""
    result["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
    components = result["components"]
    for shape in components["schemas"].values():
        _finish_shape(shape)
    components["responses"] = {f"Error{status}": _error(status) for status in ERRORS}
    return result


def _finish_shape(shape: dict[str, Any]) -> None:
    """Its docstring is for developers, and the ids of choices are for a step of drf-spectacular that we leave out."""
    shape.pop("description", None)
    if "properties" in shape:
        shape.setdefault("additionalProperties", False)
    for column in shape.get("properties", {}).values():
        column.pop("x-spec-enum-id", None)


def _error(status: int) -> dict[str, Any]:
    about, detail = ERRORS[status]
    field, _, message = detail.partition(": ")
    example = {"detail": detail, **({"errors": {field: [message]}} if message else {})}
    shape = {"schema": {"$ref": "#/components/schemas/Error"}, "examples": {"Example": {"value": example}}}
    found = {"description": about, "content": {"application/json": shape}}
    if status in ERROR_HEADERS:
        name, meaning = ERROR_HEADERS[status]
        found["headers"] = {name: {"description": meaning, "schema": {"type": "string"}}}
    return found


class Shape(OpenApiSerializerFieldExtension):
    target_class = "teckochecker.kit.api.rest.ShapedField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return dict(self.target.shape)


class JSONColumn(OpenApiSerializerFieldExtension):
    """What Django stores as JSON has a shape in each column: of its model's table of fields, or of ``shapes``."""

    target_class = "rest_framework.serializers.JSONField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        name, serializer = self.target.field_name, self.target.parent
        table = declared.of(getattr(getattr(serializer, "Meta", None), "model", None))
        shapes = {**table.shapes(), **getattr(serializer, "shapes", {})}
        if name not in shapes:
            warn(f"{type(serializer).__name__} needs the shape of {name!r} in its shapes; see CONTRIBUTING.md")
        return dict(shapes.get(name, {}))


class Login(OpenApiAuthenticationExtension):
    match_subclasses = True
    priority = 1
    definition: Mapping[str, str] = {}

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return dict(self.definition)


class Password(Login):
    target_class = "teckochecker.access.authentication.PasswordLogin"
    name = "basic"
    about = "Name and password; too many wrong ones lock it for some minutes."
    definition = {"type": "http", "scheme": "basic", "description": about}


class Token(Login):
    target_class = "knox.auth.TokenAuthentication"
    name = "token"
    about = "`Bearer tck_…`; `Token tck_…` means the same. `POST /api/tokens` makes one."
    definition = {"type": "http", "scheme": "bearer", "bearerFormat": "tck_…", "description": about}


class Session(Login):
    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "session"
    about = "The login of the admin. Calls that change something need its CSRF token in `X-CSRFToken`."
    definition = {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": about}
