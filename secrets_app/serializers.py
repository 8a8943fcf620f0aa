"""Secrets as the API and the command line show them: values go in and never come out."""

from rest_framework import serializers

from secrets_app.models import Secret, validate_name
from teckochecker.kit.api.rest import ChoiceField, StrictSerializer, TextField


class SecretSerializer(StrictSerializer, serializers.ModelSerializer[Secret]):
    example = {
        "id": 1,
        "name": "exports",
        "type": "generic",
        "value": "the-secret-itself",
        "created_at": "2026-01-31T21:58:00.000000Z",
    }
    serializer_choice_field = ChoiceField
    name = TextField(max_length=255, validators=[validate_name])
    value = TextField(write_only=True, style={"input_type": "password"})

    class Meta:
        model = Secret
        fields = ("id", "name", "type", "value", "created_at")
        read_only_fields = ("id", "created_at")


class SecretValueSerializer(StrictSerializer):
    example = {"value": "the-secret-itself"}
    value = TextField(write_only=True, style={"input_type": "password"})
