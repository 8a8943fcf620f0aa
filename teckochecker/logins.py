"""Slows down guessing: after ten wrong passwords for a name from one address, the right one waits as well."""

import hashlib
import math
import time
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

FAILURES = 10
WINDOW_SECONDS = 60


class SlowedLogin(ModelBackend):
    """Users and passwords as ever, for the API and for pages."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **others: Any
    ) -> User | None:
        name = username or others.get("username") or ""
        if seconds_to_wait(request, name):
            raise PermissionDenied
        user = super().authenticate(request, username, password, **others)
        if user is None and password is not None:
            _count(request, name)
        return user


def seconds_to_wait(request: Any, name: str) -> int:
    """0 where a login may be tried. ``request`` is Django's, that of the API, or None."""
    failures, until = caches["logins"].get(_key(request, name)) or (0, 0.0)
    return max(math.ceil(until - time.time()), 0) if failures >= FAILURES else 0


def _count(request: Any, name: str) -> None:
    key, now = _key(request, name), time.time()
    failures, until = caches["logins"].get(key) or (0, now + WINDOW_SECONDS)
    caches["logins"].set(key, (failures + 1, until), timeout=until - now)


def _key(request: Any, name: str) -> str:
    """One of 4096, so that no number of invented names pushes a real one out of the cache."""
    address = "" if request is None else request.META.get("REMOTE_ADDR", "")
    return hashlib.sha256(f"{address} {name}".encode(errors="replace")).hexdigest()[:3]
