"""Behind a proxy that ends TLS: who came over plain HTTP is sent to the https address, and nobody in a circle."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect

logger = structlog.get_logger(__name__)

ALWAYS_SERVED = frozenset({"/api/health", "/api/health/"})
NEEDED = "The proxy has to send X-Forwarded-Proto (and TECKO_PROXIES to say how many there are): docs/operations.md."


class RedirectMiddleware:
    """Instead of Django's redirect, which takes whatever does not say that it came by https for plain HTTP.

    Without ``X-Forwarded-Proto`` a call of this machine is served, and so is one for the public address: it has come
    through the proxy, and would come back just as it is.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._told = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.TECKO_PUBLIC_URL.startswith("https://") and not request.is_secure() and self._is_plain(request):
            return HttpResponsePermanentRedirect(settings.TECKO_PUBLIC_URL + request.get_full_path())
        return self._get_response(request)

    def _is_plain(self, request: HttpRequest) -> bool:
        if request.path in ALWAYS_SERVED:
            return False
        if "HTTP_X_FORWARDED_PROTO" in request.META:
            return True
        public = request.META.get("HTTP_HOST", "").lower() == urlsplit(settings.TECKO_PUBLIC_URL).netloc.lower()
        if public or "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
            self._tell()
            return False
        return not _is_loopback(request.META.get("REMOTE_ADDR", ""))

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            logger.warning("proxy_without_forwarded_proto", remedy=NEEDED)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
