"""Who is asking, and what they may."""

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from knox.auth import TokenAuthentication
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports what the settings name, and so this module


class TokenLogin(TokenAuthentication):
    """``Authorization: Token …``."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isascii():
            raise exceptions.AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)  # type: ignore[no-untyped-call]


class PasswordLogin(authentication.BasicAuthentication):
    """HTTP Basic. A NUL, which PostgreSQL cannot even look for, is in nobody's name."""

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> tuple[User, None]:
        if "\0" in userid:
            raise exceptions.AuthenticationFailed("Invalid username/password.")
        return super().authenticate_credentials(userid, password, request)


class ModelPermissions(permissions.DjangoModelPermissions):
    """Reading needs the view permission; ``needs`` of a view names another one than its method does."""

    perms_map = {
        **permissions.DjangoModelPermissions.perms_map,
        **{method: ["%(app_label)s.view_%(model_name)s"] for method in ("GET", "HEAD", "OPTIONS")},
    }

    def has_permission(self, request: Request, view: "APIView") -> bool:
        needs = getattr(view, "needs", None)
        if needs is None or request.method == "OPTIONS":
            return super().has_permission(request, view)
        meta = self._queryset(view).model._meta
        return request.user.has_perm(f"{meta.app_label}.{needs}_{meta.model_name}")
