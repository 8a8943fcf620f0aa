"""The OpenAPI document, made from the router and from the table of calls that each app has."""

import functools
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse
from rest_framework.request import Request

import customchecks.api.schema
import polling.site.group_schema
import polling.site.schema
import secrets_app.schema
import teckochecker.api.schema
from teckochecker.kit.openapi import OBJECT, UNDESCRIBED, Operation

OPERATIONS: Mapping[str, Operation] = {
    **customchecks.api.schema.OPERATIONS,
    **polling.site.schema.OPERATIONS,
    **polling.site.group_schema.OPERATIONS,
    **secrets_app.schema.OPERATIONS,
    **teckochecker.api.schema.OPERATIONS,
}
JSON_COLUMNS: Mapping[str, Mapping[str, Any]] = customchecks.api.schema.JSON_COLUMNS
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
ERROR_SHAPE = {
    "type": "object",
    "required": ["detail"],
    "additionalProperties": False,
    "properties": {
        "detail": {"type": "string", "description": "A sentence that can be shown."},
        "errors": {
            "type": "object",
            "description": "What is wrong with the input: field to messages; `non_field_errors` for all of it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}

ERRORS: Mapping[int, tuple[str, dict[str, Any]]] = {
    400: (
        "Something in the request is wrong; `errors` has the messages by field. Nothing was stored.",
        {
            "detail": "poll_interval_seconds: poll_interval_seconds is from 10 to 86400.",
            "errors": {"poll_interval_seconds": ["poll_interval_seconds is from 10 to 86400."]},
        },
    ),
    401: ("Nobody has logged in.", {"detail": "Authentication credentials were not provided."}),
    403: ("Whoever has logged in may not do this.", {"detail": "You do not have permission to perform this action."}),
    404: ("What the path names is not there.", {"detail": "It is not there any more."}),
    409: (
        "What it is in now does not allow this.",
        {"detail": "A job that is active cannot be resumed; it must be paused."},
    ),
    412: (
        "Somebody else has changed it since: `If-Match` names an older `ETag`.",
        {"detail": "The job has changed since you read it. Read it again and repeat your change."},
    ),
    413: ("The body is too large.", {"detail": "A request has at most 11 MB, a script archive at most 10 MB."}),
    415: ("The body has a media type that this call does not take.", {"detail": 'Unsupported media type "text/plain"'}),
    422: (
        "Something in the request is wrong; `errors` has the messages by field. Nothing was stored.",
        {"detail": "name: This field is required.", "errors": {"name": ["This field is required."]}},
    ),
    429: (
        "Too many calls, or too many wrong passwords.",
        {"detail": "Request was throttled. Expected available in 30 seconds."},
    ),
    503: (
        "A part of TeckoChecker that this call needs is not there.",
        {"detail": "The Docker Engine does not answer."},
    ),
}
ERROR_HEADERS: Mapping[int, tuple[str, str]] = {
    401: ("WWW-Authenticate", "How one logs in."),
    429: ("Retry-After", "Seconds until the next try can succeed."),
}


def key_of(request: Request | HttpRequest, method: str) -> str:
    """In OPERATIONS, for a call of the request's path with this method."""
    return f"{method} {_path(request.resolver_match.route if request.resolver_match else '')}"


@functools.cache
def _path(route: str) -> str:
    return str(EndpointEnumerator(patterns=[]).get_path_from_regex(route)).rstrip("/").replace("{pk}", "{id}")


@functools.cache
def document() -> dict[str, Any]:
    """For everybody the same, however little they may do."""
    return dict(SchemaGenerator().get_schema(request=None, public=True))


class Schema(AutoSchema):
    """One call; a call without an entry in its app's table is a warning, and ``spectacular --fail-on-warn`` fails."""

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def described(self) -> Operation:
        return OPERATIONS.get(self.key, UNDESCRIBED)

    def call(self, request: Request, method: str) -> Operation:
        """What a request of its path with this method does."""
        return OPERATIONS.get(key_of(request, method), UNDESCRIBED)

    def get_summary(self) -> str:
        if self.key not in OPERATIONS:
            warn(f"no entry {self.key!r} in OPERATIONS of the schema.py of its app; see CONTRIBUTING.md")
        return self.described.summary

    def get_description(self) -> str:  # type: ignore[override]
        return self.described.about

    def get_tags(self) -> list[str]:
        return [self.described.tag]

    def get_operation_id(self) -> str:
        """The view's word for what it does: ``custom_checks_pause``, not ``custom_checks_pause_create``."""
        words = [word.replace("-", "_") for word in self._tokenize_path()]
        method = self.method.lower()
        action = method if method == "patch" else getattr(self.view, "action", method)
        return "_".join(words if words[-1:] == [action] else [*words, action])

    def get_override_parameters(self) -> list[Any]:
        answers = self.described.answers.items()
        headers = [
            OpenApiParameter(name, location=OpenApiParameter.HEADER, description=about, response=[status])
            for status, answer in answers
            for name, about in answer.headers.items()
        ]
        return [*self.described.query, *self.described.headers, *headers]

    def get_request_serializer(self) -> Any:
        bodies = self.described.bodies
        return {
            body.media_type: OpenApiRequest(_plain(body.shape), examples=[OpenApiExample("Example", body.example)])
            for body in bodies
        }

    def get_response_serializers(self) -> Any:
        return {
            (status, answer.media_type): OpenApiResponse(
                _plain(answer.shape),
                description=HTTPStatus(status).phrase,
                examples=[] if answer.shape is None else [OpenApiExample("Example", answer.example)],
            )
            for status, answer in self.described.answers.items()
        }

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Every list is an envelope, which is an object."""
        return False

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        found: dict[str, Any] = super()._get_response_bodies(direction)
        refusals = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in self._refusals()}
        return {**found, **refusals}

    def _refusals(self) -> list[int]:
        described = self.described
        found = {*described.refuses, *(ALWAYS if self.view.get_authenticators() else ())}
        if "{" in self.path:
            found.add(404)
        if described.bodies or described.query:
            found.add(described.invalid)
        if described.bodies:
            found |= {413, 415}
        return sorted(found)


def _plain(shape: Any) -> Any:
    return dict(shape) if isinstance(shape, Mapping) else shape


def without_final_slash(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Every path works with one too; the documented ones have none."""
    return [(path.rstrip("/"), *others) for path, *others in endpoints]


def finish(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds the error answers and the tags, and says that no object has other fields than those described."""
    result["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
    components = result["components"]
    for shape in components["schemas"].values():
        _finish_shape(shape)
    components["schemas"]["Error"] = ERROR_SHAPE
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
    about, example = ERRORS[status]
    found: dict[str, Any] = {
        "description": about,
        "content": {"application/json": _exemplified(example)},
    }
    if status in ERROR_HEADERS:
        name, meaning = ERROR_HEADERS[status]
        found["headers"] = {name: {"description": meaning, "schema": {"type": "string"}}}
    return found


def _exemplified(example: Any) -> dict[str, Any]:
    return {"schema": {"$ref": "#/components/schemas/Error"}, "examples": {"Example": {"value": example}}}


class JSONColumn(OpenApiSerializerFieldExtension):
    """What Django stores as JSON has a shape of its own in each column."""

    target_class = "rest_framework.serializers.JSONField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        name = self.target.field_name
        if name not in JSON_COLUMNS:
            warn(f"no entry {name!r} in JSON_COLUMNS of customchecks/api/schema.py")
        return dict(JSON_COLUMNS.get(name, OBJECT))


class Password(OpenApiAuthenticationExtension):
    target_class = "teckochecker.access.authentication.PasswordLogin"
    name = "basic"
    match_subclasses = True

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "basic",
            "description": "Name and password; too many wrong ones lock it for some minutes.",
        }


class Token(OpenApiAuthenticationExtension):
    target_class = "knox.auth.TokenAuthentication"
    name = "token"
    match_subclasses = True
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        about = "`Bearer tck_…`; `Token tck_…` means the same. `POST /api/tokens` makes one."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "tck_…", "description": about}


class Session(OpenApiAuthenticationExtension):
    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "session"
    match_subclasses = True
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        about = "The login of the admin. Calls that change something need its CSRF token in `X-CSRFToken`."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": about}
