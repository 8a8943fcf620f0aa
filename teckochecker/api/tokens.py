"""``/api/tokens``: whoever logs in with a password makes tokens, sees them and revokes them."""

from datetime import timedelta
from typing import Any, NoReturn, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, permissions, status
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from secrets_app.access.models import LONGEST_DAYS, USUAL_DAYS, ApiToken, Scope
from secrets_app.access.serializers import MadeTokenSerializer, TokenSerializer
from teckochecker.access.authentication import PasswordLogin, TokenLogin, covered, has_token
from teckochecker.kit import strict_json
from teckochecker.kit.api.filters import FilterSet, Word
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.rest import ChoiceField, StrictSerializer, TextField, WholeNumberField, asker
from teckochecker.kit.api.views import Router, ViewSet


class NewTokenSerializer(StrictSerializer):
    example = {"name": "nightly import", "scope": "operate", "expires_in_days": 90}
    name = TextField(max_length=100, default="", allow_blank=True)
    scope = ChoiceField(choices=Scope.choices, default=Scope.OPERATE)
    expires_in_days = WholeNumberField(min_value=1, max_value=LONGEST_DAYS, default=USUAL_DAYS)


class TokenFilters(FilterSet):
    user = Word(
        "Only those of this user.",
        example="ada",
        column="user__username",
        read=lambda name: strict_json.storable(name) or None,
    )


@extend_schema(tags=["Access"])
@extend_schema_view(list=extend_schema(summary="List tokens", description="One's own; for admins everybody's."))
class TokenViewSet(mixins.ListModelMixin, ViewSet[ApiToken]):
    """A user's own; whoever may view or delete tokens also those of others."""

    serializer_class = TokenSerializer
    queryset: Any = ApiToken.objects.select_related("user").order_by("id")
    pagination_class = pages("tokens")
    filterset_class = TokenFilters
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

    def filter_queryset(self, queryset: Any) -> Any:
        return super().filter_queryset(self._seen_with("view"))

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a token.

        All but the token itself.
        """
        return Response(self.get_serializer(self._found(pk, "view")).data)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def create(self, request: Request) -> Response:
        """Make a token.

        With a password or a session. It is shown only this once.
        """
        asked = NewTokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        expiry = timedelta(days=asked.validated_data.pop("expires_in_days"))
        row, token = ApiToken.objects.create(request.user, expiry=expiry, **asked.validated_data)
        row.token = token
        return Response(MadeTokenSerializer(row).data, status=status.HTTP_201_CREATED)

    def destroy_this(self, request: Request) -> Response:
        """Revoke the token that asks.

        With that token.
        """
        cast(ApiToken, request.auth).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a token.

        One's own; for admins everybody's.
        """
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


urlpatterns = Router(("tokens", TokenViewSet, "token")).urls
