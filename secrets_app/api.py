"""``/api/admin/secrets``: values go in and never come out."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.urls import re_path
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from secrets_app.models import Secret, taken, validate_name
from teckochecker.kit.rest import ChoiceField, Refused, StrictSerializer, TextField


class SecretSerializer(StrictSerializer, serializers.ModelSerializer[Secret]):
    serializer_choice_field = ChoiceField
    name = TextField(max_length=255, validators=[validate_name])
    value = TextField(write_only=True, style={"input_type": "password"})

    class Meta:
        model = Secret
        fields = ("id", "name", "type", "value", "created_at")
        read_only_fields = ("id", "created_at")


class SecretValueSerializer(StrictSerializer):
    value = TextField(write_only=True, style={"input_type": "password"})


class SecretViewSet(GenericViewSet[Secret]):
    queryset = Secret.objects.order_by("id")
    serializer_class = SecretSerializer

    def list(self, request: Request) -> Response:
        secrets = self.get_serializer(self.get_queryset(), many=True).data
        return Response({"secrets": secrets, "total": len(secrets)})

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def create(self, request: Request) -> Response:
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

    def update(self, request: Request, pk: str) -> Response:
        """Only the value can change: jobs use the new one from their next check on."""
        secret = self.get_object()
        serializer = SecretValueSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _set(secret, serializer.validated_data["value"])
        secret.save(update_fields=["ciphertext", "updated_at"])
        return Response(self.get_serializer(secret).data)

    def destroy(self, request: Request, pk: str) -> Response:
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


_collection = SecretViewSet.as_view({"get": "list", "post": "create"})
_one = SecretViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})

urlpatterns = [
    re_path(r"^secrets/?$", _collection, name="secrets"),
    re_path(r"^secrets/(?P<pk>[0-9]{1,18})/?$", _one, name="secret"),
]
