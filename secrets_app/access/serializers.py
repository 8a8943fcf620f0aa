"""Tokens as the API and the command line show them."""

from typing import Any

from rest_framework import serializers

from secrets_app.access.models import ApiToken

# The fields, in their order, and what they may look like
TOKEN: dict[str, Any] = {
    "id": 3,
    "name": "nightly import",
    "user": "ada",
    "scope": "operate",
    "prefix": "tck_5b1e0c7a2f9",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "expiry": "2026-05-01T22:00:00.000000Z",
    "last_used_at": "2026-01-31T22:04:00.000000Z",
    "expired": False,
}


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    example = TOKEN
    user = serializers.CharField(source="user.username", read_only=True)
    prefix = serializers.CharField(source="token_key", read_only=True)
    created_at = serializers.DateTimeField(source="created", read_only=True)

    class Meta:
        model = ApiToken
        fields = tuple(TOKEN)
        read_only_fields = fields


class MadeTokenSerializer(TokenSerializer):
    example = {"token": "tck_5b1e0c7a2f94…", **TOKEN, "last_used_at": None}
    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = ("token", *TokenSerializer.Meta.fields)
