"""Clients that take their time must not keep others from the web server."""

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from teckochecker.web.connections import READ_SECONDS
from tests.api import live
from tests.api.live import Server

MANY = 40
GRACE_SECONDS = 2


@contextlib.contextmanager
def many(port: int, beginning: bytes) -> Iterator[list[socket.socket]]:
    """Connections that send this and then nothing."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(MANY)]
        for line in lines:
            line.sendall(beginning)
        yield lines


def healthy(port: int) -> bool:
    call = http.client.HTTPConnection("127.0.0.1", port, timeout=GRACE_SECONDS)
    with contextlib.closing(call):
        call.request("GET", "/api/health")
        return call.getresponse().status == 200


def answer(line: socket.socket) -> tuple[int, str]:
    response = http.client.HTTPResponse(line, method="POST")
    response.begin()
    return response.status, str(json.loads(response.read())["detail"])


def stalled(server: Server) -> dict[str, bytes]:
    chunked = "Transfer-Encoding: chunked"
    return {
        "head": b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        "anonymous": f"POST /api/custom-checks HTTP/1.1\r\nHost: 127.0.0.1\r\n{chunked}\r\n\r\n5\r\na".encode(),
        "chunks": server.head(chunked) + b"10000\r\nabc",
        "unwanted": b"POST /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nabc",
        "answered": b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    }


@pytest.mark.parametrize("kind", ["head", "anonymous", "chunks", "unwanted", "answered"])
def test_others_are_served_all_along(server: Server, kind: str) -> None:
    with many(server.port, stalled(server)[kind]):
        for _ in range(8):
            assert healthy(server.port)
            time.sleep(0.25)


@pytest.mark.parametrize("kind", ["head", "chunks"])
def test_who_is_too_slow_is_told_and_hung_up_on(server: Server, kind: str) -> None:
    began = time.monotonic()
    with many(server.port, stalled(server)[kind]) as lines:
        codes = {answer(line)[0] for line in lines}
        assert codes - {503} == {408}
        assert lines[0].recv(1) == b""
    assert time.monotonic() - began < READ_SECONDS + GRACE_SECONDS


def test_drops_of_a_head_do_not_prolong_it(server: Server) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as line:
        line.sendall(b"GET /api/health HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):
            while time.monotonic() - began < READ_SECONDS * 2:
                line.sendall(b"x")
                time.sleep(0.2)
    assert time.monotonic() - began < READ_SECONDS + GRACE_SECONDS


def test_a_form_of_known_length_that_stops_is_408(server: Server) -> None:
    with server.call("Content-Length: 1000") as line:
        line.sendall(b"--frontier\r\n")
        assert answer(line) == (408, "The body did not arrive in time.")


@pytest.mark.usefixtures("processes")
def test_a_stop_answers_what_is_being_sent(transactional_db: None) -> None:
    sent = b"POST /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nab"
    with live.web_server() as (port, pids), socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(sent)
        time.sleep(0.5)
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
        line.sendall(b"cd")
        assert answer(line)[0] == 405


def test_close_is_heard_among_other_words(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(
            b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nConnection: Keep-Alive\r\n\r\n"
        )
        text = b""
        while data := line.recv(4096):
            text += data
    assert text.startswith(b"HTTP/1.1 200 OK") and b"\r\nConnection: close\r\n" in text


def test_a_connection_takes_one_request_after_another(server: Server) -> None:
    call = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        for sent in (call, call * 2, call[:20]):
            line.sendall(sent)
            time.sleep(0.1)
        line.sendall(call[20:])
        text = b""
        while text.count(b" 200 OK") < 4:
            text += line.recv(4096)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 5000), 414),
        (b"GET /api/health HTTP/1.1\r\nA: %s\r\n\r\n" % (b"a" * 9000), 431),
        (b"GET /api/health HTTP/1.1\r\n%s\r\n" % (b"A: b\r\n" * 200), 431),
        (b"GET /api/health HTTP/1.1\r\nA: %s" % (b"a" * 70000), 431),
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    ],
)
def test_a_request_that_is_none_is_answered_in_json(server: Server, sent: bytes, code: int) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(sent)
        got, detail = answer(line)
    assert got == code
    assert detail
