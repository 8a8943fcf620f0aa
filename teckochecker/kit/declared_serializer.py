"""The serializer of a declared model: takes what ``declared_values`` takes, and shows and describes the fields."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from rest_framework import serializers

from teckochecker.kit import declared, declared_values

M = TypeVar("M", bound=models.Model)


class DeclaredSerializer(serializers.ModelSerializer[M]):
    """Takes the declared fields of ``Meta.model`` and shows them, and after them the fields of ``Meta.observed``.

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
        try:
            declared_values.fill(instance, data, shown=self.fields)
        except ValidationError as error:
            raise serializers.ValidationError(serializers.as_serializer_error(error)) from None
        return dict(data)
