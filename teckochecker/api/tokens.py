"""``/api/tokens``: whoever logs in with a password makes tokens, sees them and revokes them."""

from datetime import timedelta
from typing import Any, NoReturn, cast

from django.db.models import QuerySet
from django.urls import re_path
from rest_framework import exceptions, permissions, status
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from secrets_app.access.models import LONGEST_DAYS, USUAL_DAYS, ApiToken, Scope
from secrets_app.access.serializers import MadeTokenSerializer, TokenSerializer
from teckochecker.access.authentication import PasswordLogin, TokenLogin, covered, has_token
from teckochecker.kit import strict_json
from teckochecker.kit.pagination import page
from teckochecker.kit.rest import ChoiceField, StrictSerializer, TextField, WholeNumberField, asker


class NewTokenSerializer(StrictSerializer):
    name = TextField(max_length=100, default="", allow_blank=True)
    scope = ChoiceField(choices=Scope.choices, default=Scope.OPERATE)
    expires_in_days = WholeNumberField(min_value=1, max_value=LONGEST_DAYS, default=USUAL_DAYS)


class TokenViewSet(GenericViewSet[ApiToken]):
    """A user's own; whoever may view or delete tokens also those of others."""

    queryset: Any = ApiToken.objects.select_related("user").order_by("id")
    serializer_class = TokenSerializer
    permission_classes = [permissions.IsAuthenticated]

    def get_authenticators(self) -> list[BaseAuthentication]:
        """A token makes no tokens, and one that is not for everything revokes none but itself."""
        method = self.request.method if self.request else "GET"  # none while the calls are described
        if method == "POST":
            return [PasswordLogin(), SessionAuthentication()]
        if method == "DELETE" and "pk" not in self.kwargs:
            return [TokenLogin(restricted=False)]
        return [PasswordLogin(), TokenLogin(), SessionAuthentication()]

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        if self.action == "create" and has_token(request):
            raise exceptions.NotAuthenticated("A token makes no token: use a password or a session.")
        super().permission_denied(request, message, code)

    def list(self, request: Request) -> Response:
        """``?user=`` narrows the list."""
        rows = self._seen_with("view")
        if name := request.query_params.get("user"):
            rows = rows.filter(user__username=strict_json.storable(name))
        return Response(page(rows, request, key="tokens", serializer=TokenSerializer))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self._found(pk, "view")).data)

    def create(self, request: Request) -> Response:
        """``token`` is in this answer only."""
        asked = NewTokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        expiry = timedelta(days=asked.validated_data.pop("expires_in_days"))
        row, token = ApiToken.objects.create(request.user, expiry=expiry, **asked.validated_data)
        row.token = token
        return Response(MadeTokenSerializer(row).data, status=status.HTTP_201_CREATED)

    def destroy_this(self, request: Request) -> Response:
        """Revokes the token that the call is made with."""
        cast(ApiToken, request.auth).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def destroy(self, request: Request, pk: str) -> Response:
        found = self._found(pk, "delete")
        if isinstance(request.auth, ApiToken) and request.auth.scope != Scope.ADMIN and request.auth.pk != found.pk:
            raise exceptions.PermissionDenied("This token may revoke itself only.")
        found.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _found(self, pk: str, action: str) -> ApiToken:
        found: ApiToken | None = self._seen_with(action).filter(pk=pk).first()
        if found is None:
            raise exceptions.NotFound(f"There is no token {pk}. GET /api/tokens lists those that there are.")
        return found

    def _seen_with(self, action: str) -> QuerySet[ApiToken]:
        user, needed = asker(self.request), [f"access.{action}_apitoken"]
        rows: QuerySet[ApiToken] = self.get_queryset()
        return rows if user.has_perms(needed) and covered(self.request, needed) else rows.filter(user=user)


urlpatterns = [
    re_path(
        r"^tokens/?$",
        TokenViewSet.as_view({"get": "list", "post": "create", "delete": "destroy_this"}),
        name="tokens",
    ),
    re_path(
        r"^tokens/(?P<pk>[0-9]{1,18})/?$", TokenViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="token"
    ),
]
