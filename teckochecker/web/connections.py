"""Connections of waitress with our limits: of size and time for each request, and answers in JSON before Django has it.

waitress's loop collects a request, head and body, and only then a thread gets it: slow clients cost no thread.
"""

import contextlib
import json
import socket
import time
from http import HTTPStatus
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

READ_SECONDS = 15.0  # for a whole request
IDLE_SECONDS = 30.0  # between requests, and for each piece of an answer
LINGER_SECONDS = 0.5  # after a refusal
MAX_LINE = 4094
MAX_HEADER = 8190
MAX_HEADERS = 100
MAX_HEAD = 64 * 1024
MAX_BODY = 11 * 1024 * 1024  # a script of 10 MB and the form around it
SMALL_BODY = 64 * 1024  # from anybody, in memory
MAX_BODIES = 12 * MAX_BODY  # all that are larger, of one process at a time
DETAILS = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "A request has at most 11 MB, a script archive at most 10 MB.",
    HTTPStatus.UNAUTHORIZED: "Authentication credentials were not provided.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many bodies are being sent; try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "TeckoChecker failed; its log has the details.",
}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", 'Basic realm="api"'),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After", "15"),
}


class Refusal(Error):  # type: ignore[misc]
    """The answer to a request that Django never sees."""

    def __init__(self, status: HTTPStatus, detail: str = "") -> None:
        self._status = status
        self._detail = detail or DETAILS.get(status) or f"The request could not be read: {status.phrase}."

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        extra = [HEADERS[self._status]] if self._status in HEADERS else []
        body = json.dumps({"detail": self._detail}).encode()
        return f"{self._status.value} {self._status.phrase}", [("Content-Type", "application/json"), *extra], body


class RefusalTask(ErrorTask):  # type: ignore[misc]
    def execute(self) -> None:
        if not isinstance(self.request.error, Refusal):  # waitress's own, in plain text
            self.request.error = Refusal(HTTPStatus(self.request.error.code))
        self.channel.refused = True
        super().execute()


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request while it is being read."""

    empty: bool
    size = 0  # of a body that is not small, as far as it may get

    def __init__(self, adj: Any, server: Any) -> None:
        super().__init__(adj)
        self._server = server

    def received(self, data: bytes) -> int:
        taken = int(super().received(data))
        if self.empty:
            self.empty, self.error = False, Refusal(HTTPStatus.BAD_REQUEST)
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if "close" in self.headers.get("CONNECTION", "").lower().replace(",", " ").split():
            self.headers["CONNECTION"] = "close"  # one word of several, as of a proxy's and a browser's
        if refused := self._head_is_refused(header_plus) or self._body_is_refused():
            self.error = Refusal(refused)
            self.body_rcv, self.content_length, self.expect_continue = None, 0, False

    def _head_is_refused(self, head: bytes) -> HTTPStatus | None:
        line, *headers = head.split(b"\r\n")
        if len(line) > MAX_LINE:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if len(headers) > MAX_HEADERS or any(len(header) > MAX_HEADER for header in headers):
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return None if self.version in ("1.0", "1.1") else HTTPStatus.BAD_REQUEST

    def _body_is_refused(self) -> HTTPStatus | None:
        size = MAX_BODY if self.chunked else self.content_length
        if size > MAX_BODY:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if size <= SMALL_BODY:
            return None
        if not self.headers.keys() & {"AUTHORIZATION", "COOKIE"}:
            return HTTPStatus.UNAUTHORIZED
        if self._server.bodies() + size > MAX_BODIES:
            return HTTPStatus.SERVICE_UNAVAILABLE
        self.size = size
        return None


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. All but the tasks runs in waitress's loop."""

    error_task_class = RefusalTask
    request: Any
    socket: Any
    refused = False
    _began = 0.0  # of the request that is being read, by the monotonic clock
    _lingers_until = 0.0

    def parser_class(self, adj: Any) -> Request:
        return Request(adj, self.server)

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self._began = time.monotonic()
        return bool(super().received(data))

    def readable(self) -> bool:
        return bool(self._lingers_until or super().readable())

    def handle_read(self) -> None:
        """Other than waitress's: a client that has closed its half can be told that something is missing."""
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            data = b""
            self.request = None
        if self._lingers_until:
            if not data or time.monotonic() > self._lingers_until:
                self.end()
        elif data:
            self.last_activity = time.time()
            self.received(data)
        elif self.request is not None and self.request.headers_finished:
            self.refuse(Refusal(HTTPStatus.BAD_REQUEST, "The body ended too early."))
        else:
            self.end()

    def refuse(self, refusal: Refusal) -> None:
        """Answers the request that is being read; the connection ends then."""
        with self.requests_lock:
            request, self.request = self.request, None
            request.error, request.completed = refusal, True
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    def handle_close(self) -> None:
        """Who is still sending may read the refusal first: closed with unread data, a connection is reset."""
        if not self.refused or self._lingers_until or not self.connected:
            self.end()
            return
        self._lingers_until = time.monotonic() + LINGER_SECONDS
        self.will_close = False
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        super().handle_close()

    def keep_time(self) -> None:
        """Called every second."""
        now = time.monotonic()
        if self._lingers_until:
            if now > self._lingers_until:
                self.end()
        elif self.request is not None and now - self._began > READ_SECONDS:
            late = "The body did not arrive in time." if self.request.headers_finished else ""
            self.refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, late))
        elif (self.total_outbufs_len or not self.requests) and time.time() - self.last_activity > IDLE_SECONDS:
            self.will_close = True

    def is_busy(self) -> bool:
        return bool(self.requests or self.request or self.total_outbufs_len)


class Server(TcpWSGIServer):  # type: ignore[misc]
    channel_class = Channel

    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            channel.keep_time()

    def bodies(self) -> int:
        """Bytes that all the bodies may get that are being read or worked on, without the small ones."""
        channels = list(self.active_channels.values())
        return sum(request.size for channel in channels for request in (channel.request, *channel.requests) if request)
