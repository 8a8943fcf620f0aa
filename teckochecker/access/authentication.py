"""Who is asking, and what they may."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from secrets_app.access.models import ApiToken, Scope
from teckochecker.access import logins, roles

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports what the settings name, and so this module


TOKEN_PREFIX = b"tck_"
TOKEN_SCHEMES = (b"bearer", b"token")
SCHEMES = (*TOKEN_SCHEMES, b"basic")
USABLE = "Use `Authorization: Bearer` with a token, or HTTP Basic with a name and a password."


def wrong_scheme(request: Request) -> str:
    """What is wrong with the way that a call says who makes it; nothing where it says nothing."""
    header = authentication.get_authorization_header(request)
    scheme = header.split(b" ")[0]
    if not header or scheme.lower() in SCHEMES:
        return ""
    if scheme.startswith(TOKEN_PREFIX):
        return f"The token stands alone in Authorization. {USABLE}"
    shown = scheme.decode("ascii", "replace")
    return f"The scheme {shown!r:.40} of Authorization is not known. {USABLE}"


def has_token(request: Request) -> bool:
    return authentication.get_authorization_header(request).split(b" ")[0].lower() in TOKEN_SCHEMES


class Forbidden(exceptions.PermissionDenied):
    """Of somebody who has logged in: ``login`` is the user, and the token if there is one."""

    def __init__(self, detail: str, *, login: tuple[User, ApiToken | None]) -> None:
        super().__init__(detail)
        self.login = login


class TokenLogin(TokenAuthentication):
    """``Authorization: Bearer …``, or ``Token …`` as in earlier versions.

    A token for reading gets no further than a safe method, whatever a view allows, unless that is not ``restricted``.
    """

    def __init__(self, *, restricted: bool = True) -> None:
        self.restricted = restricted

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, written = authentication.get_authorization_header(request).partition(b" ")
        if scheme.lower() not in TOKEN_SCHEMES:
            return None
        if len(written.split()) != 1:
            raise exceptions.AuthenticationFailed("After Bearer comes one token, without spaces in it.")
        found: tuple[User, ApiToken] = self.authenticate_credentials(written.strip())
        token = found[1]
        if self.restricted and token.scope == Scope.READ and request.method not in permissions.SAFE_METHODS:
            raise Forbidden("This token is for reading only.", login=found)
        token.note_use(timezone.now())
        return found

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isascii():
            raise exceptions.AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)  # type: ignore[no-untyped-call]


class PasswordLogin(authentication.BasicAuthentication):
    """HTTP Basic. Browsers keep such a login and send it with the forms of any site, so those may only read."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        if found and request.method not in permissions.SAFE_METHODS and _from_another_site(request):
            raise Forbidden("A page of another site may not use a password; use a token.", login=found)
        return found

    def authenticate_credentials(self, userid: str, password: str, request: Request | None = None) -> tuple[User, None]:
        if "\0" in userid:  # PostgreSQL cannot even look for it
            raise exceptions.AuthenticationFailed("Invalid username/password.")
        wait = logins.seconds_locked(request, userid)
        if wait:
            raise exceptions.Throttled(wait, logins.TOO_MANY)
        try:
            found: tuple[User, None] = super().authenticate_credentials(userid, password, request)
        except exceptions.AuthenticationFailed:
            if logins.refused(request):  # others have used up the attempts meanwhile
                raise exceptions.Throttled(logins.seconds_locked(request, userid), logins.TOO_MANY) from None
            raise
        logins.passed(request)
        return found


def _from_another_site(request: Request) -> bool:
    """Command-line clients send neither header, browsers at least one of them."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return True
    ours = {f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS}
    return request.headers.get("Origin") not in {None, *ours}


class ModelPermissions(permissions.DjangoModelPermissions):
    """The user must have what a call needs, and a token's scope must cover it.

    Reading needs the view permission; ``needs`` of a view names another one than its method does.
    """

    perms_map = {
        **permissions.DjangoModelPermissions.perms_map,
        **{method: ["%(app_label)s.view_%(model_name)s"] for method in ("GET", "HEAD", "OPTIONS")},
    }

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        needed = self._needed(request, view)
        return request.user.has_perms(needed) and covered(request, needed)

    def _needed(self, request: Request, view: "APIView") -> list[str]:
        model = self._queryset(view).model
        needs = getattr(view, "needs", None)
        if needs is None or request.method == "OPTIONS":
            return list(self.get_required_permissions(str(request.method), model))
        return [f"{model._meta.app_label}.{needs}_{model._meta.model_name}"]


def covered(request: Request, needed: Iterable[str]) -> bool:
    """Whether what was logged in with may use these permissions of the user: a password may, a token by its scope."""
    return not isinstance(request.auth, ApiToken) or roles.covers(request.auth.scope, needed)
