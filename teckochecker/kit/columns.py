"""Whether a JSON value is one for a column of a model, by the column's own type, bounds and validators.

No value is converted: "60", 60.5 and true are not whole numbers. Every refusal is a ValidationError with a code.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from teckochecker.kit import strict_json

Column: TypeAlias = "models.Field[Any, Any]"
TEXTS = (models.CharField, models.TextField)


def check(column: Column, value: object) -> bool:
    """Raises ValidationError. Returns whether Django has nothing more to look at in the value."""
    if value is None and column.null:
        return True
    for kind, look in CHECKS.items():
        if isinstance(column, kind):
            look(column, value)
    return not isinstance(column, TEXTS)


def bounds(column: Column) -> tuple[int, int]:
    """The smallest and the largest number that a column of whole numbers takes."""
    limits = {
        kind: [validator.limit_value for validator in column.validators if isinstance(validator, kind)]
        for kind in (MinValueValidator, MaxValueValidator)
    }
    return max(limits[MinValueValidator]), min(limits[MaxValueValidator])


def with_choices(model: type[models.Model], errors: Mapping[str, Any]) -> dict[str, Any]:
    """Says what may be chosen where Django says only what may not. ``errors`` are by field."""
    found = dict(errors)
    for column in model._meta.fields:
        if column.choices and column.name in found:
            words = ", ".join(str(value) for value, _ in column.flatchoices)
            found[column.name] = [
                ValidationError(f"{message} Use one of: {words}.", code=error.code)
                for error in found[column.name]
                for message in error.messages
            ]
    return found


def _text(column: Column, value: object) -> None:
    if not isinstance(value, str):
        raise ValidationError("A text is wanted here.", code="not_text")
    if strict_json.storable(value) != value:
        raise ValidationError("This text has a NUL or a lone surrogate.", code="not_storable")


def _boolean(column: Column, value: object) -> None:
    if not isinstance(value, bool):
        raise ValidationError("This is true or false.", code="not_boolean")


def _whole(column: Column, value: object) -> None:
    low, high = bounds(column)
    if type(value) is not int:
        raise ValidationError(f"A whole number from {low} to {high} is wanted.", code="not_whole")
    if not low <= value <= high:
        raise ValidationError(f"A number from {low} to {high} is wanted.", code="out_of_range")


def _number_of_a_row(column: Column, value: object) -> None:
    if type(value) is not int or not 0 < value < 2**63:
        raise ValidationError("The number of a row is wanted.", code="not_number")


def _json(column: Column, value: object) -> None:
    """By all validators of the column: Django does not show them what is empty, such as a list for an object."""
    for validator in column.validators:
        validator(value)


CHECKS: Mapping[type[Column], Callable[[Column, object], None]] = {
    models.CharField: _text,
    models.TextField: _text,
    models.BooleanField: _boolean,
    models.IntegerField: _whole,
    models.JSONField: _json,
    models.ForeignKey: _number_of_a_row,
}
