"""``/api/groups``: jobs that are waited for together."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from polling.jobs import duplicate_names, group_changes, test_deliveries
from polling.jobs.groups import GroupRefused, GroupStatus, JobGroup
from polling.site.delivery_serializers import DELIVERY, DeliverySerializer
from polling.site.group_serializers import (
    ANSWERED,
    GroupFieldsSerializer,
    GroupSerializer,
    GroupWithAnswersSerializer,
    split,
)
from teckochecker.kit.api.filters import FilterSet, one_of
from teckochecker.kit.api.openapi import WARNING, answer, body, refused
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.rest import Refused, asker
from teckochecker.kit.api.views import Router, ViewSet, change

TEST = {**DELIVERY, "job_kind": "group", "event": "group.test"}


class GroupFilters(FilterSet):
    status = one_of(GroupStatus.values, "Only those in this status.", example="active")


@extend_schema(tags=["Groups"])
@extend_schema_view(
    list=extend_schema(summary="List groups", description="The oldest first."),
    retrieve=extend_schema(summary="Show a group with what is known of its members"),
)
class GroupViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ViewSet[JobGroup]):
    queryset: Any = JobGroup.objects.order_by("id")
    pagination_class = pages("groups")
    filterset_class = GroupFilters

    def get_serializer_class(self) -> type[serializers.BaseSerializer[JobGroup]]:
        return GroupSerializer if self.action == "list" else GroupWithAnswersSerializer

    @extend_schema(request=GroupFieldsSerializer, parameters=[WARNING])
    def create(self, request: Request) -> Response:
        """Wait for several jobs together.

        Members that have ended count. When the rule is met or the deadline has passed, the webhook is called.
        """
        data, wanted = split(request.data)
        group = group_changes.create_group(data, wanted=wanted, user=asker(request))
        told = duplicate_names.headers(group)
        return Response(self.get_serializer(group).data, status=status.HTTP_201_CREATED, headers=told)

    @extend_schema(
        request=body(GroupFieldsSerializer(partial=True), {"rule": "any"}),
        responses=answer(GroupWithAnswersSerializer, {**ANSWERED, "rule": "any"}),
    )
    def update(self, request: Request, pk: str) -> Response:
        """Change a group.

        Fields that are not named stay as they are. It holds for the current cycle: the group may end at once.
        """
        group = self.get_object()
        data, wanted = split(request.data)
        group_changes.update_group(group, data, wanted=wanted, user=asker(request))
        return self._shown()

    partial_update = update

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a group.

        Its jobs stay.
        """
        group_changes.delete_group(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @change(responses={200: GroupWithAnswersSerializer, **refused(409)})
    def restart(self, request: Request, pk: str) -> Response:
        """Wait for a group's jobs anew.

        Members that have ended are restarted, deleted ones are left out. Keboola jobs and webhooks that they have at
        their end are started and called again. This call does not ask; the command line and the admin do.
        """
        try:
            group_changes.restart_group(self.get_object(), user=asker(request))
        except GroupRefused as error:
            raise Refused(str(error)) from None
        return self._shown()

    @change("webhook/test", url_name="webhook-test", responses={202: answer(DeliverySerializer, TEST), **refused(409)})
    def test(self, request: Request, pk: str) -> Response:
        """Send a test to a group's webhook.

        With the members as they are now. It is made at once; how it went is in the delivery.
        """
        try:
            delivery = test_deliveries.send_group_test(self.get_object())
        except test_deliveries.SendRefused as error:
            raise Refused(str(error)) from None
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    def _shown(self) -> Response:
        """As it is now."""
        return Response(self.get_serializer(self.get_object()).data)


urlpatterns = Router(("groups", GroupViewSet, "group")).urls
