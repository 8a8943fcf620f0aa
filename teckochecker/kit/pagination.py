"""The envelope of every list: ``{"jobs": […], "total": …, "limit": …, "offset": …}``."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
MAX_OFFSET = 10_000_000


def page(
    rows: QuerySet[Any], request: Request, *, key: str, serializer: type[serializers.BaseSerializer[Any]]
) -> dict[str, Any]:
    limit = _number(request, "limit", default=DEFAULT_LIMIT, low=1, high=MAX_LIMIT)
    offset = _number(request, "offset", default=0, low=0, high=MAX_OFFSET)
    found = serializer(rows[offset : offset + limit], many=True).data
    return {key: found, "total": rows.count(), "limit": limit, "offset": offset}


def _number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 12 and low <= int(raw) <= high):
        raise serializers.ValidationError({name: [f"A whole number from {low} to {high} is wanted."]})
    return int(raw)
