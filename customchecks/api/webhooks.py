"""``/api/custom-checks/{id}/webhook/test`` and ``…/deliveries``."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.models import CustomCheckJob
from polling import trials
from polling.api import DeliverySerializer, DeliveryViewSet
from polling.deliveries import Delivery
from secrets_app.rest import Refused


class WebhookViewSet(GenericViewSet[Any]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = DeliverySerializer
    needs = "change"

    def test(self, request: Request, pk: str) -> Response:
        """Answers with the delivery, which is made at once; how it went is in ``/api/deliveries/{id}``."""
        try:
            delivery = trials.send_test(self.get_object())
        except trials.SendRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class JobDeliveriesViewSet(DeliveryViewSet):
    def list(self, request: Request, pk: str) -> Response:  # type: ignore[override]
        """What one job was to send; ``?status=`` narrows the list."""
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=pk)
        self.queryset = Delivery.objects.filter(job_kind=job.kind, job_id=job.pk).order_by("-created_at", "id")
        return super().list(request)
