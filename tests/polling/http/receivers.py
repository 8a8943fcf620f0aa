"""Receivers on the loopback that behave as told, one thread per connection."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket], None]


@dataclass
class Receiver:
    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def read_request(connection: socket.socket) -> bytes:
    """Up to the end of the head, and the body that came with it."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def receiving(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """``behave`` gets the connection after its request was read and kept."""

    def after_request(connection: socket.socket) -> None:
        receiver.requests.append(read_request(connection))
        behave(connection)

    with listening(after_request, tls=tls) as receiver:
        yield receiver


@contextlib.contextmanager
def listening(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """``behave`` gets the connection at once."""
    listener = socket.create_server(("127.0.0.1", 0))
    receiver = Receiver(listener.getsockname()[1])
    if tls:
        tls.sni_callback = lambda _socket, name, _context: receiver.server_names.append(name)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if tls:
                with tls.wrap_socket(connection, server_side=True) as wrapped:
                    behave(wrapped)
            else:
                behave(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            receiver.connections += 1
            if receiver.over.is_set():
                connection.close()
                return
            connection.settimeout(10)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)


def answer(status: str = "200 OK", body: bytes = b"", *headers: str) -> Behaviour:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")

    def behave(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode() + body)

    return behave


def drip(first: bytes, piece: bytes, *, every: float = 0.05) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            time.sleep(every)
            connection.sendall(piece)

    return behave


def flood(first: bytes, piece: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return behave


def silent(connection: socket.socket) -> None:
    time.sleep(3)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
