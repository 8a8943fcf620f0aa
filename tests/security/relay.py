"""An engine that can go away or be slow: a Unix socket that passes everything on to the real one until it is cut."""

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from teckochecker.setup import dockerd


class Relay:
    """``engine`` is a socket's path, of the engine that the tests use unless told otherwise.

    ``delays`` are seconds by which requests that contain these bytes come late; it may change at any time.
    """

    def __init__(self, path: Path, *, engine: str = "") -> None:
        self.url = f"unix://{path}"
        self._engine = engine or dockerd.socket_path(os.environ)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        self.delays: dict[bytes, float] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for connection in [self._listener, *self._open]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._engine)
                self._open += [client, server]
                for ways in ((client, server, self.delays), (server, client, {})):
                    threading.Thread(target=_pass_on, args=ways, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, delays: Mapping[bytes, float]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            time.sleep(max((seconds for words, seconds in delays.items() if words in data), default=0))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
