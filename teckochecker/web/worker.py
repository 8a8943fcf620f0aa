"""gunicorn's threaded worker, made so that a slow client holds no thread before it has sent a request's head.

The loop that accepts connections also collects the heads; a thread reads the body, and both together have
``READ_SECONDS``. Any error before the application has the request is JSON too.
"""

import contextlib
import json
import socket
import time
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any, Self

from gunicorn.http import errors  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

READ_SECONDS = 15.0
WRITE_SECONDS = 30.0  # for each piece of an answer
LINGER_SECONDS = 0.5  # after the answer
LINGER_BYTES = 64 * 1024
STOP_SECONDS = 2.0
MAX_HEAD = 64 * 1024
HEAD_END = b"\r\n\r\n"

REFUSALS = {
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.ForbiddenProxyRequest: HTTPStatus.FORBIDDEN,
    errors.ParseException: HTTPStatus.BAD_REQUEST,
}


class TimedSocket(socket.socket):
    """Reads until ``deadline``, by the monotonic clock, and then raises ``TimeoutError``."""

    deadline = 0.0

    @classmethod
    def of(cls, plain: socket.socket) -> Self:
        return plain if isinstance(plain, cls) else cls(fileno=plain.detach())

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self.gettimeout() != 0:
            self.settimeout(left)
        return super().recv(bufsize, flags)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self.settimeout(WRITE_SECONDS)
        super().sendall(data, flags)


class Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heads: dict[TConn, bytearray] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """To a thread, as soon as the head is complete."""
        conn.sock = TimedSocket.of(conn.sock)
        conn.sock.deadline = time.monotonic() + READ_SECONDS
        conn.data_ready = True
        conn.init()
        conn.sock.setblocking(False)
        self._heads[conn] = bytearray(conn.parser.unreader.take_buffered())
        if HEAD_END in self._heads[conn]:
            self._hand_over(conn)
        else:
            self.poller.register(conn.sock, EVENT_READ, partial(self._read_head, conn))

    def _read_head(self, conn: TConn, _: object) -> None:
        head = self._heads[conn]
        try:
            data = conn.sock.recv(MAX_HEAD)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        searched = max(len(head) - len(HEAD_END), 0)
        head += data
        if not data:
            self._drop(conn)
        elif head.find(HEAD_END, searched) >= 0:
            self.poller.unregister(conn.sock)
            self._hand_over(conn)
        elif len(head) > MAX_HEAD:
            self._drop(conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _hand_over(self, conn: TConn) -> None:
        conn.parser.unreader.unread(bytes(self._heads.pop(conn)))
        super().enqueue_req(conn)

    def _drop(self, conn: TConn, status: HTTPStatus | None = None) -> None:
        self.poller.unregister(conn.sock)
        del self._heads[conn]
        if status is not None:
            with contextlib.suppress(OSError):
                conn.sock.send(answer(status))
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Called every second at the latest."""
        super().murder_pending()
        latest = time.monotonic() + (0 if self.alive else READ_SECONDS - STOP_SECONDS)
        for conn in [conn for conn in self._heads if conn.sock.deadline <= latest]:
            # A browser opens connections that it may never need
            self._drop(conn, HTTPStatus.REQUEST_TIMEOUT if self._heads[conn] else None)

    def handle(self, conn: TConn) -> Any:
        again = super().handle(conn)
        if not again:
            linger(conn.sock)
        return again

    def handle_request(self, req: Any, conn: TConn) -> Any:
        again = super().handle_request(req, conn)
        # What is left of a body that nobody wanted
        conn.sock.deadline = time.monotonic() + LINGER_SECONDS
        return again

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        status = next((status for kind, status in REFUSALS.items() if isinstance(exc, kind)), None)
        if status is None:
            self.log.error("Error handling request", exc_info=exc)
        with contextlib.suppress(OSError):
            client.sendall(answer(status or HTTPStatus.INTERNAL_SERVER_ERROR))


def linger(line: TimedSocket) -> None:
    """Lets the client read the answer before the end. gunicorn would wait in the loop that accepts, 2 s for each."""
    line.deadline = min(line.deadline, time.monotonic() + LINGER_SECONDS)
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_WR)
        left = LINGER_BYTES
        while left > 0 and (data := line.recv(4096)):
            left -= len(data)
    line.deadline = 0.0


def answer(status: HTTPStatus) -> bytes:
    detail = {"detail": f"The request could not be read: {status.phrase}."}
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = {"detail": "TeckoChecker failed; its log has the details."}
    body = json.dumps(detail)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
