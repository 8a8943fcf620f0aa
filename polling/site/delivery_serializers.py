"""Deliveries as the API and the command line show them."""

from typing import Any

from rest_framework import serializers

from polling.outbox.deliveries import Delivery, DeliveryAttempt

# The fields, in their order, and what they may look like
DELIVERY: dict[str, Any] = {
    "id": "0f9d4a53-52b6-4d0d-a0a5-6c1c6a2e7f10",
    "job_kind": "custom",
    "job_id": 7,
    "job_name": "nightly export",
    "cycle": 1,
    "channel": "webhook",
    "event": "check.ended",
    "test": False,
    "url": "https://hooks.example.com/exports",
    "method": "POST",
    "status": "pending",
    "attempts": 1,
    "last_status_code": 503,
    "last_error": "The receiver answered 503.",
    "next_attempt_at": "2026-01-31T22:10:30.000000Z",
    "created_at": "2026-01-31T22:10:00.000000Z",
    "delivered_at": None,
}
ATTEMPT = {
    "number": 1,
    "started_at": "2026-01-31T22:10:00.500000Z",
    "status_code": 503,
    "duration_ms": 82,
    "error": "The receiver answered 503.",
    "answer": "try again later",
}


class AttemptSerializer(serializers.ModelSerializer[DeliveryAttempt]):
    example = ATTEMPT

    class Meta:
        model = DeliveryAttempt
        fields = tuple(ATTEMPT)
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """Header values stay as they are stored: with references, never with secrets."""

    example = DELIVERY

    class Meta:
        model = Delivery
        fields = tuple(DELIVERY)
        read_only_fields = fields


class DeliveryWithAttemptsSerializer(DeliverySerializer):
    example = {**DELIVERY, "attempt_rows": [ATTEMPT]}
    attempt_rows = AttemptSerializer(many=True, read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "attempt_rows")
