"""Locks out guessing. django-axes says when somebody tries a password; what is counted, and said about it, is ours."""

import math
from datetime import timedelta
from typing import Any

from axes.handlers.cache import AxesCacheHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username, get_credentials
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from teckochecker.access import shared_counters
from teckochecker.access.password_guesses import Attempt, Limit
from teckochecker.access.throttles import as_network, network

TOO_MANY = "Too many wrong passwords."


class Guard(AxesCacheHandler):
    """Counts by name and address, and by address, where many names are tried: each password that is looked at costs a
    tenth of a second."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        return seconds_left(request, get_client_username(request, credentials)) > 0

    def is_allowed(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Asked once, right before a password is looked at."""
        if not super().is_allowed(request, credentials):
            return False
        attempts: list[Attempt] = []
        for limit in _limits(network(request), get_client_username(request, credentials)):
            attempt = limit.begin()
            if attempt is None:
                _end(attempts, wrong=False)
                return False
            attempts.append(attempt)
        request.tecko_attempts = attempts
        return True

    def user_login_failed(
        self, sender: object, credentials: dict[str, Any], request: Any = None, **others: Any
    ) -> None:
        """A refusal of ours is none: then there were no attempts."""
        _end(_taken(request), wrong=True)
        if request is not None:
            request.axes_credentials = credentials

    def user_logged_in(self, sender: object, request: Any, user: Any, **others: Any) -> None:
        passed(request)

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        limits = _limits(as_network(ip_address or ""), username)
        return sum(shared_counters.forget(limit.name) for limit in limits[: 1 if username else 2])


def passed(request: Any) -> None:
    """The password was right."""
    _end(_taken(request), wrong=False)


def refused(request: Any) -> bool:
    """Whether the password was not looked at."""
    return bool(getattr(request, "axes_locked_out", False))


def seconds_locked(request: Any, name: str) -> int:
    """0 where a login may be tried. ``request`` is Django's or the API's."""
    locked = AxesProxyHandler.is_locked(request, get_credentials(name))
    return seconds_left(request, name) if locked else 0


def seconds_left(request: Any, name: str | None) -> int:
    return math.ceil(max(limit.seconds_left() for limit in _limits(network(request), name)))


def lockout_time(request: Any) -> timedelta:
    return timedelta(seconds=settings.TECKO_LOGIN_LOCKOUT_SECONDS)


def refuse_page(request: HttpRequest, answer: HttpResponseBase, credentials: Any) -> HttpResponse:
    """Instead of the login page."""
    seconds = seconds_left(request, get_client_username(request, credentials)) or 1
    text = f"{TOO_MANY} Try again in {seconds} seconds."
    return HttpResponse(text, status=429, content_type="text/plain", headers={"Retry-After": str(seconds)})


def _limits(address: str, name: str | None) -> tuple[Limit, Limit]:
    return (
        Limit(
            shared_counters.key("name", address, name or ""),
            most=settings.TECKO_LOGIN_ATTEMPTS,
            seconds=settings.TECKO_LOGIN_LOCKOUT_SECONDS,
            lock=True,
        ),
        Limit(shared_counters.key("passwords", address), most=settings.TECKO_FAILED_LOGINS_PER_MINUTE, seconds=60),
    )


def _taken(request: Any) -> list[Attempt]:
    found: list[Attempt] = getattr(request, "tecko_attempts", [])
    if found:
        request.tecko_attempts = []
    return found


def _end(attempts: list[Attempt], *, wrong: bool) -> None:
    for attempt in attempts:
        attempt.end(wrong=wrong)
