"""The one validation of declared fields: the API, the command line, documents and the admin all go through it.

It is strict: what does not exist, cannot be set or is of another type is refused, never ignored or converted.
"""

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError

from teckochecker.kit import columns, declared
from teckochecker.kit.spelling import no_such_field


def fill(row: Any, data: Mapping[str, Any], *, shown: Collection[str] = (), beside: Collection[str] = ()) -> None:
    """Sets the fields of a new, locked or copied row and validates all of it. What has the wrong type is not set.

    ``shown``: what is no column and cannot be set either; ``beside``: what is set elsewhere. Raises ValidationError
    with everything that is wrong, by field.
    """
    errors: dict[str, Any] = {}
    looked_at: set[str] = set()
    for name, value in data.items():
        try:
            if _check(row, name, value, shown, beside):
                looked_at.add(name)
            setattr(row, name, value)
        except ValidationError as error:
            errors[name] = error.error_list
    errors = _faults(row, but=looked_at | errors.keys()) | errors
    if errors:
        raise ValidationError(errors)


def _check(row: Any, name: str, value: object, shown: Collection[str], beside: Collection[str]) -> bool:
    """Whether Django has nothing more to look at in the value."""
    known = declared.of(row)
    if name in known:
        return columns.check(row._meta.get_field(name), value)
    if name in shown or _is_column(row, name):
        raise ValidationError("This field cannot be set.", code="read_only")
    raise ValidationError(no_such_field(name, (*known.columns, *beside)), code="unknown_field")


def _is_column(row: Any, name: str) -> bool:
    try:
        return bool(row._meta.get_field(name).concrete)
    except FieldDoesNotExist:
        return False


def _faults(row: Any, *, but: set[str]) -> dict[str, Any]:
    try:
        row.full_clean(exclude=but)
    except ValidationError as error:
        return columns.with_choices(type(row), error.error_dict)
    return {}
