"""``/api/custom-checks/{id}/webhook/test`` and ``…/deliveries``."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.jobs.models import CustomCheckJob
from polling.jobs import test_deliveries
from polling.outbox.deliveries import Delivery
from polling.site.deliveries_api import DeliverySerializer, DeliveryViewSet
from teckochecker.kit.rest import Refused


class WebhookViewSet(GenericViewSet[Any]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = DeliverySerializer
    needs = "change"

    def test(self, request: Request, pk: str) -> Response:
        """Answers with the delivery, which is made at once; how it went is in ``/api/deliveries/{id}``."""
        try:
            delivery = test_deliveries.send_test(self.get_object())
        except test_deliveries.SendRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class JobDeliveriesViewSet(DeliveryViewSet):
    def list(self, request: Request, pk: str) -> Response:  # type: ignore[override]
        """What one job was to send; ``?status=`` narrows the list."""
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=pk)
        self.queryset = Delivery.objects.filter(job_kind=job.kind, job_id=job.pk).order_by("-created_at", "id")
        return super().list(request)
