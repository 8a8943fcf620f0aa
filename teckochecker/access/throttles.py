"""How many calls a minute are answered: by login, and by address for whoever has none.

The counters are files that all processes of this machine share; several machines count each for itself.
"""

import ipaddress
import math
import re
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.cache import BaseCache
from rest_framework.throttling import SimpleRateThrottle

from secrets_app.access.models import ApiToken
from teckochecker.access import shared_counters

# As proxies write an address: with a port, in brackets, with a zone
_WRITTEN = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]{2,45})(?:%[^\]]*)?\](?::[0-9]{1,5})?|(?P<v4>[0-9.]{7,15}):[0-9]{1,5}")


def address(request: Any) -> str:
    """Of Django's request or the API's. Behind TECKO_PROXIES proxies it is what the outermost of them has seen."""
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TECKO_PROXIES:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        seen = hops[-min(settings.TECKO_PROXIES, len(hops))] or seen
    return str(_read(seen) or "")


def network(request: Any) -> str:
    """The address, or its /64: whoever has one IPv6 address usually has all of those."""
    return as_network(address(request))


def as_network(address: str) -> str:
    return str(ipaddress.ip_network(f"{address.partition('/')[0]}/64", strict=False)) if ":" in address else address


def _read(written: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 address that came through an IPv6 socket is that address."""
    found = _WRITTEN.fullmatch(written)
    text = found["v6"] or found["v4"] if found else written.partition("%")[0]
    try:
        read = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (read.ipv4_mapped or read) if isinstance(read, ipaddress.IPv6Address) else read


class Times:
    """What DRF keeps in a cache, when the calls were, in a file that is locked meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def get(self, key: str, default: list[float]) -> list[float]:
        return shared_counters.times(self._file) or default

    def set(self, key: str, times: list[float], timeout: int) -> None:
        shared_counters.write(self._file, times)


class Throttle(SimpleRateThrottle):
    """DRF's with a file for each counter: in a cache two calls at a time, read and then written, count as one."""

    def allow_request(self, request: Any, view: Any) -> bool:
        key = self.get_cache_key(request, view)
        if key is None:
            return True
        with shared_counters.locked(key) as file:
            self.cache = cast(BaseCache, Times(file))
            return super().allow_request(request, view)

    def seconds_to_wait(self, request: Any) -> int:
        """Counts a call, outside a view; 0 where it is allowed."""
        return 0 if self.allow_request(request, None) else math.ceil(self.wait() or 60)


class PerLogin(Throttle):
    """A token by itself, so that one client does not use up what another of the same user needs."""

    def get_rate(self) -> str:
        return f"{settings.TECKO_REQUESTS_PER_MINUTE}/min"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        if isinstance(request.auth, ApiToken):
            return f"token-{request.auth.pk}"
        return f"user-{request.user.pk}" if request.user.is_authenticated else None


class Strangers(Throttle):
    """Calls that were refused because nobody, or nobody known, asked. Passwords are counted by themselves: no number of
    other calls locks one."""

    def get_rate(self) -> str:
        return f"{settings.TECKO_FAILED_LOGINS_PER_MINUTE}/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return shared_counters.key("address", network(request))
