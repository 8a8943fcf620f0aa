"""How many calls a minute are answered: by login, and by address for whoever has none.

The counters are files that all processes of this machine share; several machines count each for itself.
"""

import fcntl
import hashlib
import ipaddress
import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.cache import BaseCache
from rest_framework.throttling import SimpleRateThrottle

from secrets_app.access.models import ApiToken

# One of so many counters, so that no number of invented addresses fills the disk
ADDRESSES = 4096


def address(request: Any) -> str:
    """Of Django's request or the API's. Behind TECKO_PROXIES proxies it is what the outermost of them has seen."""
    seen = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TECKO_PROXIES:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        seen = hops[-min(settings.TECKO_PROXIES, len(hops))] or seen
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return ""


def network(request: Any) -> str:
    """The address, or its /64: whoever has one IPv6 address usually has all of those."""
    found = address(request)
    return str(ipaddress.ip_network(f"{found}/64", strict=False)) if ":" in found else found


class Times:
    """What DRF keeps in a cache, when the calls were, in a file that is locked meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def get(self, key: str, default: list[float]) -> list[float]:
        content = self._file.read()
        times = array("d")
        times.frombytes(content[: len(content) // times.itemsize * times.itemsize])  # a killed process wrote a part
        return times.tolist() or default

    def set(self, key: str, times: list[float], timeout: int) -> None:
        self._file.seek(0)
        self._file.write(array("d", times).tobytes())
        self._file.truncate()


class Throttle(SimpleRateThrottle):
    """DRF's with a file for each counter: in a cache two calls at a time, read and then written, count as one."""

    def allow_request(self, request: Any, view: Any) -> bool:
        key = self.get_cache_key(request, view)
        if key is None:
            return True
        with _locked(settings.THROTTLE_FOLDER / key) as file:
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
    """Calls and pages that were refused because nobody, or nobody known, asked."""

    def get_rate(self) -> str:
        return f"{settings.TECKO_FAILED_LOGINS_PER_MINUTE}/min"

    def get_cache_key(self, request: Any, view: Any) -> str:
        digest = hashlib.sha256(network(request).encode()).digest()
        return f"address-{int.from_bytes(digest) % ADDRESSES}"


class StrangersSoFar(Strangers):
    """Asks without counting."""

    def throttle_success(self) -> bool:
        return True


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
