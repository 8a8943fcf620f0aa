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

from teckochecker.web.server import PROCESSES

BOUNDARY = "frontier"


@dataclass(frozen=True)
class Server:
    port: int
    token: str
    pids: tuple[int, ...]

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
        status = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return max(int(text.partition("VmHWM:")[2].split()[0]) for text in status)


@contextlib.contextmanager
def web_server(**variables: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The port, and the process ids."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        port, fd = listener.getsockname()[1], listener.fileno()
        own = {"DATABASE_URL": database_url(), "TECKO_PORT": str(port), "TECKO_HOST": "127.0.0.1"}
        processes = [stack.enter_context(_process(fd, os.environ | own | variables)) for _ in range(PROCESSES)]
        wait_for_port(port)
        yield port, tuple(process.pid for process in processes)


@contextlib.contextmanager
def _process(fd: int, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "teckochecker.web.server", "--fd", str(fd)]
    process = subprocess.Popen(argv, cwd=settings.BASE_DIR, env=environ, stderr=subprocess.DEVNULL, pass_fds=(fd,))
    try:
        yield process
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
