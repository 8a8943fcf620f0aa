"""The guarded HTTP client: the only way to a host that a user has named.

One exchange is one connection to an address that was checked, one request, and at most 64 kB of answer: no redirects,
no cookies, no proxy or netrc of the environment, no decompression, and one deadline for all of it. TLS and the Host
header stay with the name, because only the dialling is replaced.
"""

import http.client
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import requests
import requests.utils
import structlog
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter

from polling.http.addresses import (
    ASK,
    AddressRefused,
    Allowance,
    IPAddress,
    Target,
    UrlRefused,
    check_addresses,
    check_url,
    is_listed,
)
from polling.http.connection import Route, Watchdog, pool
from polling.http.exchanges import Answer, ExchangeFailed, RequestRefused

logger = structlog.get_logger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_HEADER_VALUE = 8192
# The connection's own: a caller's header of this name is left out
RESERVED_HEADERS = frozenset(
    (
        *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")

Resolve = Callable[[str, int], Sequence[tuple[Any, ...]]]


def system_resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def is_own(address: IPAddress) -> bool:
    """True for an address of this host: the system would send from it to itself. No packet leaves."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == str(address))


class GuardedClient:
    """Thread-safe; keeps no connection. Times are seconds, ``max_body`` bytes.

    Raises ValueError for a CA bundle that cannot be read. Without one the bundle of ``requests`` is used.
    """

    def __init__(
        self,
        *,
        allow: Allowance,
        ca_bundle: str = "",
        connect_timeout: float = 5.0,
        deadline: float = 20.0,
        max_body: int = 65536,
        resolve: Resolve = system_resolve,
        own: Callable[[IPAddress], bool] = is_own,
    ) -> None:
        self._allow = allow
        self._tls = _tls_context(ca_bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)
        self._connect_timeout = connect_timeout
        self._deadline = deadline
        self._max_body = max_body
        self._resolve = resolve
        self._own = own

    @classmethod
    def from_settings(cls) -> Self:
        return cls(allow=Allowance.parse(settings.TECKO_WEBHOOK_ALLOW), ca_bundle=settings.TECKO_CA_BUNDLE)

    def check(self, url: str) -> tuple[Target, tuple[IPAddress, ...]]:
        """For another program that is to make the connection: it must go to one of these addresses."""
        with Watchdog(self._deadline) as watchdog:
            return self._checked(url, watchdog)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises RequestRefused or ExchangeFailed; every status code is an Answer, a redirect too."""
        started = time.monotonic()
        with Watchdog(self._deadline) as watchdog:
            target, addresses = self._checked(url, watchdog)
            request = _prepared(method, target, headers=headers, body=body, params=params)
            route = Route(target, addresses, watchdog, self._connect_timeout, self._tls)
            status, answered, content = self._exchange(request, route)
        return Answer(
            status=status,
            headers=MappingProxyType(answered),
            body=content[: self._max_body],
            cut=len(content) > self._max_body,
            elapsed_ms=round((time.monotonic() - started) * 1000),
        )

    def _exchange(self, request: requests.PreparedRequest, route: Route) -> tuple[int, Mapping[str, str], bytes]:
        try:
            timeout = (self._connect_timeout, max(0.01, route.watchdog.remaining()))
            with _Adapter(route) as adapter, adapter.send(request, stream=True, timeout=timeout) as response:
                content = b"".join(_pieces(response.raw, self._max_body + 1))
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            reason = self._late() if route.watchdog.remaining() <= 0 else _reason(error)
            raise ExchangeFailed(f"{route.target.host}: {reason}.", sent=route.watchdog.sent) from None
        if route.watchdog.remaining() <= 0:  # what looks like the end of the answer is our own cut
            raise ExchangeFailed(f"{route.target.host}: {self._late()}.", sent=True)
        return response.status_code, response.headers, content

    def _checked(self, url: str, watchdog: Watchdog) -> tuple[Target, tuple[IPAddress, ...]]:
        try:
            target = check_url(url, allow=self._allow)
            addresses = (target.address,) if target.address else self._lookup(target, watchdog)
            check_addresses(target, addresses, allow=self._allow)
        except UrlRefused as error:
            raise RequestRefused(str(error), permanent=True) from None
        except AddressRefused as error:
            logger.warning("request_refused", host=target.host, addresses=[str(address) for address in addresses])
            raise RequestRefused(str(error), permanent=False) from None
        if not is_listed(target, addresses, allow=self._allow) and any(map(self._own, addresses)):
            raise RequestRefused(f"{target.host} is this server. {ASK}", permanent=False)
        return target, addresses

    def _lookup(self, target: Target, watchdog: Watchdog) -> tuple[IPAddress, ...]:
        """In a thread of its own, because the system's resolver knows no deadline."""
        box: queue.SimpleQueue[Sequence[tuple[Any, ...]]] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                box.put(self._resolve(target.host, target.port))
            except (OSError, UnicodeError):
                box.put(())

        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        try:
            found = box.get(timeout=max(0, watchdog.remaining()))
        except queue.Empty:
            raise ExchangeFailed(f"{target.host}: {self._late()}.") from None
        if not found:
            raise ExchangeFailed(f"{target.host}: the name does not resolve.")
        return tuple(dict.fromkeys(ipaddress.ip_address(info[4][0].partition("%")[0]) for info in found))

    def _late(self) -> str:
        return f"no whole answer within {self._deadline:g} seconds"


def _tls_context(ca_bundle: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise ValueError(f"The CA bundle {ca_bundle!r} cannot be read: {error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _prepared(
    method: str,
    target: Target,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    params: Mapping[str, str] | None,
) -> requests.PreparedRequest:
    if method not in METHODS:
        raise RequestRefused(f"The method must be one of {', '.join(METHODS)}.", permanent=True)
    try:
        return requests.Request(
            method, target.url, headers=_headers(headers), data=body, params=dict(params or {})
        ).prepare()
    except UnicodeError:
        raise RequestRefused("The query contains characters that cannot be sent.", permanent=True) from None


def _headers(theirs: Mapping[str, str]) -> dict[str, str]:
    """Never quotes a value: it may be a secret."""
    for name, value in theirs.items():
        if not _HEADER_NAME.fullmatch(name):
            raise RequestRefused("A header has a name that HTTP does not allow.", permanent=True)
        if len(value) > MAX_HEADER_VALUE or not _HEADER_VALUE.fullmatch(value):
            problem = f"is longer than {MAX_HEADER_VALUE} characters or contains one that cannot be sent"
            raise RequestRefused(f"The value of the header {name} {problem}.", permanent=True)
    kept = {name: value.strip() for name, value in theirs.items() if name.lower() not in RESERVED_HEADERS}
    return {"User-Agent": "TeckoChecker", "Connection": "close", "Accept-Encoding": "identity", **kept}


def _pieces(raw: urllib3.HTTPResponse, limit: int) -> Iterator[bytes]:
    """A second read tells a whole body from a broken one."""
    while limit > 0 and (piece := raw.read(limit, decode_content=False)):
        limit -= len(piece)
        yield piece


class _Adapter(HTTPAdapter):
    """Used without a Session, so nothing of one applies: environment, redirects, cookies."""

    def __init__(self, route: Route) -> None:
        super().__init__(max_retries=0)
        self._pool = pool(route)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()
        self.close()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """The context verifies; adding the bundle of ``requests`` would widen what the operator trusts."""


def _reason(error: BaseException) -> str:
    """What happened, without the URL: told by the innermost of the chained errors."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate was not accepted: {cause.verify_message}"
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or 'connection closed'}"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "no connection or no answer in time"
    for cause in causes:
        if isinstance(cause, OSError) and isinstance(cause.errno, int) and cause.strerror:
            return cause.strerror.lower()
    return "the connection ended early, or the answer is not HTTP"


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__
