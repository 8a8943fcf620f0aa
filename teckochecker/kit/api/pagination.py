"""The envelope of every list: ``{"jobs": […], "total": …, "limit": …, "offset": …}``."""

from typing import Any

from rest_framework import pagination, serializers
from rest_framework.request import Request
from rest_framework.response import Response

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
MAX_OFFSET = 10_000_000
COUNT = {"type": "integer", "minimum": 0}


class Page(pagination.LimitOffsetPagination):
    """``?limit=`` and ``?offset=`` say which part of the rows, which are in ``key``."""

    key = ""
    default_limit, max_limit = DEFAULT_LIMIT, MAX_LIMIT

    def get_limit(self, request: Request) -> int:
        return _number(request, "limit", default=DEFAULT_LIMIT, low=1, high=MAX_LIMIT)

    def get_offset(self, request: Request) -> int:
        return _number(request, "offset", default=0, low=0, high=MAX_OFFSET)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({self.key: data, "total": self.count, "limit": self.limit, "offset": self.offset})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        part = {"limit": {**COUNT, "example": DEFAULT_LIMIT}, "offset": {**COUNT, "example": 0}}
        return _envelope({self.key: schema, "total": {**COUNT, "example": 1}, **part})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
        offset = {**COUNT, "maximum": MAX_OFFSET, "default": 0}
        return [
            {"name": "limit", "in": "query", "description": "Rows of this page. Such as `20`.", "schema": limit},
            {"name": "offset", "in": "query", "description": "Rows before it. Such as `0`.", "schema": offset},
        ]


class Everything(pagination.BasePagination):
    """All rows at once."""

    key = ""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        return list(queryset)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({self.key: data, "total": len(data)})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        return _envelope({self.key: schema, "total": {**COUNT, "example": 1}})


def pages(key: str) -> type[Page]:
    return type("Page", (Page,), {"key": key})


def everything(key: str) -> type[Everything]:
    return type("Everything", (Everything,), {"key": key})


def _envelope(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 12 and low <= int(raw) <= high):
        raise serializers.ValidationError({name: [f"A whole number from {low} to {high} is wanted."]})
    return int(raw)
