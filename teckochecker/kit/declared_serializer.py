"""The one serializer of a declared model: what comes in by any way is validated here, and goes out as this shows it."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from rest_framework import serializers

from teckochecker.kit import columns, declared
from teckochecker.kit.spelling import no_such_field

M = TypeVar("M", bound=models.Model)
Errors = dict[str, Any]


class DeclaredSerializer(serializers.ModelSerializer[M]):
    """Takes the declared fields of ``Meta.model`` and shows them, and after them the fields of ``Meta.observed``.

    It is strict: what does not exist, cannot be set or is of another type is refused, never ignored or converted.
    Validating sets the fields of the instance, so that those that depend on each other can be looked at together by the
    model's ``clean``; it is to be a new, locked or copied one.
    """

    @property
    def model(self) -> Any:
        return self.Meta.model

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        return ["id", *declared.of(self.model).columns, *self.Meta.observed]

    def get_extra_kwargs(self) -> dict[str, Any]:
        helps = {row.column: {"help_text": row.help} for row in declared.of(self.model) if row.help}
        return {**helps, **{name: {"read_only": True} for name in ("id", *self.Meta.observed)}}

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        instance = self.instance if isinstance(self.instance, self.model) else self.model()
        errors: Errors = {}
        looked_at: set[str] = set()
        for name, value in data.items():
            try:
                if self._check(name, value):
                    looked_at.add(name)
                setattr(instance, name, value)
            except ValidationError as error:
                errors[name] = error.error_list
        errors = self._faults(instance, but=looked_at | errors.keys()) | errors
        if errors:
            raise serializers.ValidationError(_details(errors))
        return dict(data)

    def _check(self, name: str, value: object) -> bool:
        known = declared.of(self.model)
        if name in known:
            return columns.check(self.model._meta.get_field(name), value)
        if name in self.fields or self._is_column(name):
            raise ValidationError("This field cannot be set.", code="read_only")
        raise ValidationError(no_such_field(name, known.columns), code="unknown_field")

    def _is_column(self, name: str) -> bool:
        try:
            return bool(self.model._meta.get_field(name).concrete)
        except FieldDoesNotExist:
            return False

    def _faults(self, instance: models.Model, *, but: Iterable[str]) -> Errors:
        try:
            instance.full_clean(exclude=set(but))
        except ValidationError as error:
            return columns.with_choices(self.model, error.error_dict)
        return {}


def fill(serializer: serializers.BaseSerializer[Any]) -> None:
    """Validates what the serializer was given. Raises Django's ValidationError with everything that is wrong."""
    if serializer.is_valid():
        return
    found: Any = serializer.errors
    raise ValidationError(
        {
            name: [ValidationError(str(detail), code=detail.code) for detail in details]
            for name, details in found.items()
        }
    )


def _details(errors: Errors) -> dict[str, Any]:
    return {
        name: [
            serializers.ErrorDetail(message, code=error.code or "invalid")
            for error in found
            for message in error.messages
        ]
        for name, found in errors.items()
    }
