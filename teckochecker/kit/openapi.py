"""How the API describes its calls.

Each app has a table, ``"GET /api/path/{id}"`` to ``Operation``; ``teckochecker.api.openapi`` makes the
document of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

JSON, FORM = "application/json", "multipart/form-data"
BINARY = {"type": "string", "format": "binary"}
OBJECT = {"type": "object", "additionalProperties": True}
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
TEXT, NULLABLE_TEXT, NUMBER = {"type": "string"}, {"type": "string", "nullable": True}, {"type": "integer"}

WARNING = {"Warning": "That others have the name, and their numbers; only where that is so."}

Shape = type[serializers.Serializer[Any]] | serializers.Serializer[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Body:
    """What a call takes, in one media type."""

    shape: Shape
    example: Any
    media_type: str = JSON


@dataclass(frozen=True)
class Answer:
    """What a call that succeeds answers; without a shape, nothing."""

    shape: Shape | None = None
    example: Any = None
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """``invalid`` is the status for wrong input, ``refuses`` the statuses beside those that the call's form implies.

    Those are 401, 403 and 429 for every call, 404 for one with an id in its path, 413 and 415 for one with a body.
    """

    summary: str
    tag: str
    about: str = ""
    query: Sequence[OpenApiParameter] = ()
    headers: Sequence[OpenApiParameter] = ()
    bodies: Sequence[Body] = ()
    answers: Mapping[int, Answer]
    refuses: Sequence[int] = ()
    invalid: int = 400


Table = Mapping[str, Operation]
UNDESCRIBED = Operation(summary="", tag="", answers={})


def parameter(name: str, about: str, *, example: Any, **schema: Any) -> OpenApiParameter:
    """In the query; ``schema`` is JSON schema.

    The example is words: Swagger UI fills in any other, and a call that somebody only tries would be narrowed by it.
    """
    shown = str(example).lower() if isinstance(example, bool) else example
    return OpenApiParameter(name, {"type": "string", **schema}, description=f"{about} Such as `{shown}`.")


def envelope(name: str, key: str, rows: type[serializers.Serializer[Any]], *, paged: bool = True) -> Shape:
    """The component ``name``: ``{key: […], "total": …}``, and which part of it this is."""
    counts = ("total", "limit", "offset") if paged else ("total",)
    fields = {count: serializers.IntegerField(min_value=0) for count in counts}
    return inline_serializer(name, {key: rows(many=True), **fields})


def listed(key: str, *rows: Any, limit: int | None = 100) -> dict[str, Any]:
    """The example of an envelope."""
    part = {} if limit is None else {"limit": limit, "offset": 0}
    return {key: list(rows), "total": len(rows), **part}


def says(properties: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """An object with all of these and no others."""
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": {name: dict(shape) for name, shape in properties.items()},
    }


def takes(properties: Mapping[str, Mapping[str, Any]], *, required: Sequence[str] = ()) -> Mapping[str, Any]:
    """An object with no others than these."""
    found = {**says(properties), "required": list(required)}
    return found if required else {key: value for key, value in found.items() if key != "required"}
