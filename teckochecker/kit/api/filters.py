"""What narrows a list: the words of a query, read strictly, and described for the OpenAPI document.

Unlike in django-filter's own filters, a word that is there and empty is looked at too.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django_filters import Filter
from django_filters.rest_framework.filterset import FilterSet as FilterSet
from drf_spectacular.drainage import set_override

from teckochecker.kit import strict_json, times
from teckochecker.kit.api.openapi import such_as


class _Field(forms.Field):
    def __init__(self, *, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(**options)
        self._read = read

    def clean(self, value: str | None) -> Any:
        return None if value is None else self._read(value)


class Word(Filter):
    """One parameter: ``read`` makes a value of it or raises ValidationError, ``where`` tells which rows have that."""

    field_class: Any = _Field

    def __init__(
        self,
        about: str,
        *,
        example: Any,
        read: Callable[[str], Any] = strict_json.storable,
        where: Callable[[Any], Q] | None = None,
        column: str | None = None,
        **schema: Any,
    ) -> None:
        super().__init__(column, read=read)  # type: ignore[no-untyped-call]
        self._where = where or (lambda value: Q(**{str(self.field_name): value}))
        set_override(self, "field", {"type": "string", **schema, "description": such_as(about, example)})

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return qs if value is None else qs.filter(self._where(value))


def one_of(words: Iterable[str], about: str, *, example: str, empty: bool = False, **options: Any) -> Word:
    """With ``empty`` an empty text leaves all rows."""
    known = list(words)

    def read(text: str) -> str | None:
        if text in known:
            return text
        if empty and not text:
            return None
        raise ValidationError(f"One of {', '.join(known)} is wanted.")

    return Word(about, example=example, read=read, enum=[*known, *([""] if empty else [])], **options)


def number(about: str, *, example: int, digits: int = 18) -> Word:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= digits):
            raise ValidationError("A whole number is wanted.")
        return int(text)

    return Word(about, example=example, read=read, type="integer", minimum=0, maximum=10**digits - 1)


def time(about: str, *, example: str, column: str) -> Word:
    return Word(about, example=example, read=times.read, column=column, format="date-time")
