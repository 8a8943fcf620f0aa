"""The real web server on the test database, for raw sockets."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

BOUNDARY = "frontier"


@dataclass(frozen=True)
class Server:
    port: int
    token: str
    pid: int

    def head(self, *headers: str) -> bytes:
        lines = ["POST /api/custom-checks HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Token {self.token}", *headers]
        return ("\r\n".join([*lines, f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]) + "\r\n\r\n").encode()

    @contextlib.contextmanager
    def call(self, *headers: str) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            line.sendall(self.head(*headers))
            yield line

    def peak_kb(self) -> int:
        """The largest resident size that any of its processes ever had."""
        pids = [*Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split(), str(self.pid)]
        status = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in status)


@contextlib.contextmanager
def gunicorn(**variables: str) -> Iterator[tuple[int, int]]:
    """Its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "gunicorn", "-c", "python:teckochecker.web.server", "teckochecker.wsgi"]
    own = {"DATABASE_URL": database_url(), "TECKO_PORT": str(port), "TECKO_HOST": "127.0.0.1"}
    environ = os.environ | own | variables
    process = subprocess.Popen(argv, cwd=settings.BASE_DIR, env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def database_url() -> str:
    test = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{test['NAME']}"
    return f"postgres://{test['USER']}:{test['PASSWORD']}@{test['HOST']}:{test['PORT']}/{test['NAME']}"


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(b"GET /api/health HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            if line.recv(100).startswith(b"HTTP/1."):
                return
        time.sleep(0.1)
    raise TimeoutError
