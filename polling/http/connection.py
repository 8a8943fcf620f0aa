"""One connection for one exchange: to checked addresses only, cut at its deadline, with a bounded answer head."""

import http.client
import io
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any, Self

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from polling.http.addresses import IPAddress, Target

MAX_ANSWER_LINES = 65536  # bytes of status line, headers and chunk sizes


class Watchdog:
    """Cuts the connection when time is up: no receiver can stretch an exchange by sending a byte now and then.

    It shuts down a duplicate of the socket, which works while another thread handshakes, sends or reads on it.
    """

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self.sent = False  # the request, or a part of it

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._twin:
                self._twin.close()
                self._twin = None

    def remaining(self) -> float:
        return self._ends - time.monotonic()

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            self._twin = connected.dup()
        if self.remaining() <= 0:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            if self._twin:
                try:
                    self._twin.shutdown(socket.SHUT_RDWR)
                except OSError:  # the receiver was faster
                    return


@dataclass(frozen=True)
class Route:
    """How to reach one target: to which addresses, until when."""

    target: Target
    addresses: tuple[IPAddress, ...]
    watchdog: Watchdog
    connect_timeout: float
    tls: ssl.SSLContext

    def dial(self) -> socket.socket:
        """Connects to the first checked address that takes the connection; no name is resolved here."""
        failure: OSError = TimeoutError()
        for address in self.addresses:
            if self.watchdog.remaining() <= 0:
                break
            try:
                return self._connected(address)
            except OSError as error:
                failure = error
        raise failure

    def _connected(self, address: IPAddress) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        dialled = socket.socket(family, socket.SOCK_STREAM)
        try:
            dialled.settimeout(min(self.connect_timeout, max(0.01, self.watchdog.remaining())))
            dialled.connect((str(address), self.target.port))
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watchdog.watch(dialled)
        except OSError:
            dialled.close()
            raise
        return dialled


class _Lines(io.BufferedReader):
    """Limits what a receiver can send line by line: headers, interim answers, chunk sizes, trailers."""

    left = MAX_ANSWER_LINES

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise http.client.HTTPException("too many header bytes")
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fp = _Lines(self.fp.detach())

    def begin(self) -> None:
        super().begin()
        # urllib3 logs a malformed header together with the URL, and the query may hold a secret
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    response_class = _Response

    def __init__(self, *args: Any, route: Route, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._route = route

    def _new_conn(self) -> socket.socket:
        return self._route.dial()

    def getresponse(self) -> Any:
        # urllib3 goes on after a reset, also after one that came before there was a connection
        if self.sock is None:
            raise http.client.RemoteDisconnected("reset while connecting")
        return super().getresponse()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._route.watchdog.sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pool(route: Route) -> urllib3.HTTPConnectionPool:
    target = route.target
    if target.scheme == "https":
        return _TlsPool(target.host, target.port, ssl_context=route.tls, route=route)
    return _Pool(target.host, target.port, route=route)
