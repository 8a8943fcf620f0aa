"""``/api/admin/secrets``: values go in and never come out."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from secrets_app.models import Secret, taken
from secrets_app.serializers import SecretSerializer, SecretValueSerializer
from teckochecker.kit.api.openapi import refused
from teckochecker.kit.api.pagination import everything
from teckochecker.kit.api.rest import Refused
from teckochecker.kit.api.views import Router, ViewSet


@extend_schema(tags=["Secrets"])
@extend_schema_view(
    list=extend_schema(summary="List secrets", description="All of them, without their values."),
    retrieve=extend_schema(summary="Show a secret", description="Never its value."),
)
class SecretViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ViewSet[Secret]):
    queryset = Secret.objects.order_by("id")
    serializer_class = SecretSerializer
    pagination_class = everything("secrets")

    @extend_schema(responses={201: SecretSerializer, **refused(409)})
    def create(self, request: Request) -> Response:
        """Store a secret.

        Its value never comes out again. 409 for a name that is taken.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        value = serializer.validated_data.pop("value")
        secret = Secret(**serializer.validated_data, created_by_id=request.user.pk)
        _set(secret, value)
        try:
            with transaction.atomic():
                secret.save()
        except IntegrityError:
            raise Refused(taken(secret.name)) from None
        return Response(self.get_serializer(secret).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=SecretValueSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Give a secret another value.

        Jobs use it from their next check on.
        """
        secret = self.get_object()
        serializer = SecretValueSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _set(secret, serializer.validated_data["value"])
        secret.save(update_fields=["ciphertext", "updated_at"])
        return Response(self.get_serializer(secret).data)

    @extend_schema(responses={204: None, **refused(409)})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a secret.

        409 while jobs use it; the answer names them.
        """
        secret = self.get_object()
        try:
            secret.delete()
        except ProtectedError as error:
            jobs = sorted({f"{grant.job_kind} {grant.job_id}" for grant in error.protected_objects})  # type: ignore[attr-defined]
            raise Refused(f"The secret is used by these jobs: {', '.join(jobs)}.") from None
        return Response(status=status.HTTP_204_NO_CONTENT)


def _set(secret: Secret, value: str) -> None:
    try:
        secret.set_value(value)
    except ValidationError as error:
        raise serializers.ValidationError({"value": error.messages}) from None


urlpatterns = Router(("secrets", SecretViewSet, "secret")).urls
