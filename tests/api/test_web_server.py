"""Large and lying bodies against the real web server, on a raw socket."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator

import pytest

from customchecks.jobs.models import CustomCheckJob
from tests.api.conftest import SCRIPT, config
from tests.api.live import BOUNDARY, Server
from tests.factories import tgz

MB = 1024 * 1024
CHUNK = b"10000\r\n" + bytes(0x10000) + b"\r\n"


def answer(line: socket.socket) -> tuple[int, dict[str, object]]:
    response = http.client.HTTPResponse(line, method="POST")
    response.begin()
    return response.status, json.loads(response.read())


def body(script: bytes) -> bytes:
    """A form as ``curl -F`` sends it."""
    parts = [b'name="config"\r\n\r\n' + json.dumps(config()).encode()]
    parts += [b'name="script"; filename="x.tgz"\r\nContent-Type: application/gzip\r\n\r\n' + script]
    edge = f"--{BOUNDARY}".encode()
    lead = edge + b"\r\nContent-Disposition: form-data; "
    return b"".join(lead + part + b"\r\n" for part in parts) + edge + b"--\r\n"


def send_until_answered(line: socket.socket, pieces: Iterator[bytes]) -> int:
    """How many bytes the server let us send before it answered or closed."""
    line.setblocking(False)
    sent = 0
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                with contextlib.suppress(BlockingIOError):
                    if line.recv(1, socket.MSG_PEEK):
                        line.settimeout(30)
                        return sent
                try:
                    done = line.send(rest)
                except BlockingIOError:
                    time.sleep(0.001)
                    continue
                sent, rest = sent + done, rest[done:]
    line.settimeout(30)
    return sent


def endless(limit: int) -> Iterator[bytes]:
    for _ in range(limit // 0x10000):
        yield CHUNK


def test_an_announced_gigabyte_is_413_before_it_is_sent(server: Server) -> None:
    with server.call(f"Content-Length: {1024 * MB}") as line:
        assert answer(line)[0] == 413


def test_a_gigabyte_in_chunks_is_413_within_bounded_memory(server: Server) -> None:
    before = server.peak_kb()
    with server.call("Transfer-Encoding: chunked") as line:
        sent = send_until_answered(line, endless(1024 * MB))
        assert answer(line)[0] == 413
    assert sent < 64 * MB
    assert server.peak_kb() - before < 40 * 1024
    assert CustomCheckJob.objects.count() == 0


def test_a_script_over_10_mb_is_413(server: Server) -> None:
    content = body(bytes(10 * MB + 1))
    with server.call(f"Content-Length: {len(content)}") as line:
        line.sendall(content)
        code, said = answer(line)
    assert (code, "10 MB" in str(said["detail"])) == (413, True)


def test_a_job_may_come_in_chunks(server: Server) -> None:
    content = body(tgz(SCRIPT))
    with server.call("Transfer-Encoding: chunked") as line:
        for start in range(0, len(content), 100):
            piece = content[start : start + 100]
            line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.sendall(b"0\r\n\r\n")
        assert answer(line)[0] == 201
    assert CustomCheckJob.objects.get().script_archive is not None


def test_a_length_that_is_too_short_cuts_the_body(server: Server) -> None:
    content = body(tgz(SCRIPT))
    with server.call("Content-Length: 100") as line:
        line.sendall(content)
        assert answer(line)[0] == 400
    assert CustomCheckJob.objects.count() == 0


def test_a_length_that_is_too_long_stores_nothing(server: Server) -> None:
    content = body(tgz(SCRIPT))
    with server.call(f"Content-Length: {len(content) + 1000}") as line:
        line.sendall(content[:-50])
        line.shutdown(socket.SHUT_WR)
        assert answer(line)[0] == 400
    assert CustomCheckJob.objects.count() == 0


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"5\r\nab", b"5\r\nabcdefgh\r\n", b"-1\r\n"])
def test_broken_chunks_are_400(server: Server, chunks: bytes) -> None:
    with server.call("Transfer-Encoding: chunked") as line:
        line.sendall(chunks)
        line.shutdown(socket.SHUT_WR)
        assert answer(line)[0] == 400


def test_the_server_goes_on(server: Server) -> None:
    for _ in range(10):
        with server.call("Transfer-Encoding: chunked") as line:
            send_until_answered(line, endless(20 * MB))
    with server.call("Content-Length: 0") as line:
        assert answer(line)[0] == 400
