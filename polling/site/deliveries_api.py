"""``/api/deliveries``: what was to be sent, and how that went."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from polling.outbox.deliveries import Delivery, DeliveryStatus, ResendRefused
from polling.site.delivery_serializers import DeliverySerializer, DeliveryWithAttemptsSerializer
from teckochecker.kit.api.filters import FilterSet, Word, number, one_of
from teckochecker.kit.api.openapi import refused
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.rest import Refused
from teckochecker.kit.api.views import Router, ViewSet, change


class DeliveryFilters(FilterSet):
    status = one_of(DeliveryStatus.values, "Only those in this status.", example="pending")
    job_kind = Word("Only those of this kind of job.", example="custom")
    job_id = number("Only those of this job.", example=7)


@extend_schema(tags=["Deliveries"])
@extend_schema_view(
    list=extend_schema(summary="List deliveries", description="The newest first."),
    retrieve=extend_schema(summary="Show a delivery with its attempts"),
)
class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ViewSet[Delivery]):
    queryset: Any = Delivery.objects.order_by("-created_at", "id")
    pagination_class = pages("deliveries")
    filterset_class: type[FilterSet] = DeliveryFilters
    lookup_value_regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Delivery]]:
        return DeliverySerializer if self.action == "list" else DeliveryWithAttemptsSerializer

    @change(responses={202: DeliveryWithAttemptsSerializer, **refused(409)})
    def resend(self, request: Request, pk: str) -> Response:
        """Send a delivery again.

        The same call with the same id.
        """
        delivery = self.get_object()
        try:
            delivery.resend()
        except ResendRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(delivery).data, status=status.HTTP_202_ACCEPTED)


urlpatterns = Router(("deliveries", DeliveryViewSet, "delivery")).urls
