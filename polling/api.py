"""``/api/deliveries``: what was to be sent, and how that went."""

import re

from django.urls import re_path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from polling.deliveries import Delivery, DeliveryStatus
from polling.pages import page

FILTERS = ("status", "job_kind", "job_id")
JOB_ID = re.compile("[0-9]{1,18}")


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


class DeliveryViewSet(GenericViewSet[Delivery]):
    queryset = Delivery.objects.order_by("-created_at", "id")
    serializer_class = DeliverySerializer

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


urlpatterns = [
    re_path(r"^deliveries/?$", DeliveryViewSet.as_view({"get": "list"}), name="deliveries"),
    re_path(r"^deliveries/(?P<pk>[0-9a-f-]{36})/?$", DeliveryViewSet.as_view({"get": "retrieve"}), name="delivery"),
]
