"""What every app's part of the API shares. It lies here because all of them may import from here."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request

from teckochecker.kit.spelling import no_such_field


class Refused(exceptions.APIException):
    """What it is about is in a state that does not allow this; the message is a sentence for the caller."""

    status_code = status.HTTP_409_CONFLICT


def asker(request: Request) -> User:
    """The permissions let only somebody who has logged in come this far."""
    return cast(User, request.user)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that do not exist or cannot be set, rather than to ignore what somebody meant."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if odd := [name for name in data if name not in writable]:
                raise serializers.ValidationError({str(name): [self._odd(name, writable)] for name in odd})
        return super().to_internal_value(data)

    def _odd(self, name: object, writable: Iterable[str]) -> str:
        return "This field cannot be set." if name in self.fields else no_such_field(name, writable)


class ShapedField(serializers.Field[Any, Any, Any, Any]):
    """Any JSON: ``shape``, a JSON schema, is for the document, and what comes in is checked where it is used."""

    def __init__(self, shape: Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.shape = shape

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class TextField(serializers.CharField):
    """A JSON string as it is: no number is made one, and no space is taken from its ends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "trim_whitespace": False})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("A text is wanted here.", code="not_text")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    """Says what can be chosen."""

    def __init__(self, choices: Any, **options: Any) -> None:
        super().__init__(choices, **options)
        known = ", ".join(str(choice) for choice in self.choices)
        self.error_messages["invalid_choice"] = f"Value '{{input}}' is not a valid choice. Use one of: {known}."


class WholeNumberField(serializers.IntegerField):
    """A JSON number without a fraction: neither "60" nor 60.5 nor true."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise serializers.ValidationError("A whole number is wanted.", code="invalid")
        return data
