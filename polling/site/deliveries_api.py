"""``/api/deliveries``: what was to be sent, and how that went."""

import re

from django.urls import re_path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from polling.outbox.deliveries import Delivery, DeliveryAttempt, DeliveryStatus, ResendRefused
from teckochecker.kit.pagination import page
from teckochecker.kit.rest import Refused

FILTERS = ("status", "job_kind", "job_id")
JOB_ID = re.compile("[0-9]{1,18}")


class AttemptSerializer(serializers.ModelSerializer[DeliveryAttempt]):
    class Meta:
        model = DeliveryAttempt
        fields = ("number", "started_at", "status_code", "duration_ms", "error", "answer")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """Header values stay as they are stored: with references, never with secrets."""

    class Meta:
        model = Delivery
        fields = (
            "id",
            "job_kind",
            "job_id",
            "job_name",
            "cycle",
            "event",
            "test",
            "url",
            "method",
            "status",
            "attempts",
            "last_status_code",
            "last_error",
            "next_attempt_at",
            "created_at",
            "delivered_at",
        )
        read_only_fields = fields


class DeliveryWithAttemptsSerializer(DeliverySerializer):
    attempt_rows = AttemptSerializer(many=True, read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "attempt_rows")  # type: ignore[assignment]


class DeliveryViewSet(GenericViewSet[Delivery]):
    queryset = Delivery.objects.order_by("-created_at", "id")
    serializer_class = DeliveryWithAttemptsSerializer
    needs: str | None = None  # the model permission, where the method does not tell it

    def list(self, request: Request) -> Response:
        """``?status=``, ``?job_kind=`` and ``?job_id=`` narrow the list."""
        # PostgreSQL cannot look for a NUL
        chosen = {
            name: request.query_params[name].replace("\0", "\ufffd") for name in FILTERS if name in request.query_params
        }
        if not JOB_ID.fullmatch(chosen.get("job_id", "0")):
            raise serializers.ValidationError({"job_id": ["A whole number is wanted."]})
        if chosen.get("status", DeliveryStatus.PENDING) not in DeliveryStatus.values:
            raise serializers.ValidationError({"status": [f"One of {', '.join(DeliveryStatus.values)} is wanted."]})
        rows = self.get_queryset().filter(**chosen)
        return Response(page(rows, request, key="deliveries", serializer=DeliverySerializer))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def resend(self, request: Request, pk: str) -> Response:
        """The same call with the same id; 409 while it is pending."""
        delivery = self.get_object()
        try:
            delivery.resend()
        except ResendRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(delivery).data, status=status.HTTP_202_ACCEPTED)


DELIVERY = r"^deliveries/(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

urlpatterns = [
    re_path(r"^deliveries/?$", DeliveryViewSet.as_view({"get": "list"}), name="deliveries"),
    re_path(rf"{DELIVERY}/?$", DeliveryViewSet.as_view({"get": "retrieve"}), name="delivery"),
    re_path(
        rf"{DELIVERY}/resend/?$", DeliveryViewSet.as_view({"post": "resend"}, needs="change"), name="delivery-resend"
    ),
]
