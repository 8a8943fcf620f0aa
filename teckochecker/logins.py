"""Locks out guessing. django-axes counts wrong passwords by name and address; what is said about it is ours."""

from datetime import timedelta
from typing import Any

from axes.handlers.cache import AxesCacheHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_credentials
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from teckochecker.throttles import Strangers, StrangersSoFar

TOO_MANY = "Too many wrong passwords."


class Guard(AxesCacheHandler):
    """Also where an address tries many names: each password that is looked at costs a tenth of a second."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        return bool(StrangersSoFar().seconds_to_wait(request)) or super().is_locked(request, credentials)

    def user_login_failed(
        self, sender: object, credentials: dict[str, Any], request: Any = None, **others: Any
    ) -> None:
        if request is not None:
            Strangers().seconds_to_wait(request)
        super().user_login_failed(sender, credentials, request, **others)


def seconds_locked(request: Any, name: str) -> int:
    """0 where a login may be tried. ``request`` is Django's or the API's."""
    locked = AxesProxyHandler.is_locked(request, get_credentials(name))
    return lockout_time(request).seconds if locked else 0


def lockout_time(request: Any) -> timedelta:
    return timedelta(seconds=settings.TECKO_LOGIN_LOCKOUT_SECONDS)


def refuse_page(request: HttpRequest, answer: HttpResponseBase, credentials: Any) -> HttpResponse:
    """Instead of the login page."""
    seconds = lockout_time(request).seconds
    text = f"{TOO_MANY} Try again in {seconds} seconds."
    return HttpResponse(text, status=429, content_type="text/plain", headers={"Retry-After": str(seconds)})
