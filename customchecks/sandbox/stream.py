"""The host's side of the conversation with a launcher: one request frame out, one authenticated answer frame back.

The format is described in ``runner_images/launcher/frames.py``. Whatever comes from a container is hostile until its
HMAC holds: it is read within a limit and within a deadline, and nothing in it can raise.
"""

import hashlib
import hmac
import select
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MAX_KEPT = 64 * 1024  # of the beginning and of the end of stdout and stderr, each
MAX_KEPT_ANSWER = 512 * 1024  # of the end of stdout: a verdict with 64 kB of data and of state, whatever its escapes
MAX_PRINTED = 8 * 1024 * 1024  # on one stream: the script is killed
MAX_ANSWER = 3 * MAX_KEPT + MAX_KEPT_ANSWER + 4096
MAX_DIAGNOSTICS = 4096

_MAGIC = b"TECKO\x001\n"
_PREFIX = len(_MAGIC) + 4
_CHUNK = 256 * 1024
_STDOUT = 1


@dataclass(frozen=True, kw_only=True)
class PrintedStream:
    """What is kept of stdout or stderr; ``total`` is how many bytes were printed."""

    head: bytes
    tail: bytes
    total: int

    @property
    def content(self) -> bytes:
        return self.head + self.tail

    @property
    def cut(self) -> int:
        """Bytes that are missing between head and tail."""
        return self.total - len(self.head) - len(self.tail)


NOTHING = PrintedStream(head=b"", tail=b"", total=0)


@dataclass(frozen=True, kw_only=True)
class LauncherAnswer:
    """``ended`` is "exited", "timeout", "flooded" or "refused", the last with its reason. ``oom_kills`` is -1 where the
    container could not see them. ``started_at`` is seconds since the epoch, by the engine's clock."""

    ended: str
    reason: str = ""
    exit_code: int | None = None
    oom_kills: int = -1
    started_at: float | None = None
    unpack_ms: int = 0
    script_ms: int = 0
    stdout: PrintedStream = NOTHING
    stderr: PrintedStream = NOTHING


def request_frame(
    *,
    key: bytes,
    timeout_seconds: int,
    argv: Iterable[str],
    env: Mapping[str, str],
    archive: bytes,
    files: Mapping[str, bytes],
) -> bytes:
    """``files`` are laid into ``/run/tecko``. The key is at most 64 bytes."""
    body = _pack(
        [
            key,
            f"{timeout_seconds} {MAX_PRINTED} {MAX_KEPT} {MAX_KEPT_ANSWER} {MAX_KEPT}".encode(),
            _pack(_bytes(word) for word in argv),
            _pack(_bytes(word) for pair in env.items() for word in pair),
            archive,
            _pack(part for name, content in files.items() for part in (name.encode(), content)),
        ]
    )
    return _MAGIC + len(body).to_bytes(4, "big") + body


@dataclass
class Reply:
    """What came out of a container so far: the launcher's stdout up to one frame, and the beginning of its stderr."""

    stdout: bytearray = field(default_factory=bytearray)
    diagnostics: bytearray = field(default_factory=bytearray)
    late: bool = False
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """``data`` is a piece of the engine's multiplexed stream: 8 bytes of header (stream, length), payload."""
        self._pending += data
        while len(self._pending) >= 8 and not self.finished:
            size = int.from_bytes(self._pending[4:8], "big")
            if size > MAX_ANSWER:
                self.stdout[:] = b"\0"  # the engine itself sends pieces of 32 kB
                return
            if len(self._pending) < 8 + size:
                return
            self._take(self._pending[0], bytes(self._pending[8 : 8 + size]))
            del self._pending[: 8 + size]

    def _take(self, stream: int, payload: bytes) -> None:
        if stream == _STDOUT:
            self.stdout += payload
        else:
            self.diagnostics += payload[: MAX_DIAGNOSTICS - len(self.diagnostics)]

    @property
    def finished(self) -> bool:
        """Whether a whole frame is here, or certainly none will be."""
        if not _MAGIC.startswith(bytes(self.stdout[: len(_MAGIC)])):
            return True
        if len(self.stdout) < _PREFIX:
            return False
        size = self._body_size()
        return size > MAX_ANSWER or len(self.stdout) >= _PREFIX + size

    def answer(self, key: bytes) -> LauncherAnswer | None:
        """None where the bytes are not a launcher's answer made with this key."""
        if len(self.stdout) < _PREFIX or not self.stdout.startswith(_MAGIC):
            return None
        body = bytes(self.stdout[_PREFIX : _PREFIX + self._body_size()])
        proof, content = body[4:36], body[36:]
        if not hmac.compare_digest(proof, hmac.digest(key, content, hashlib.sha256)):
            return None
        return _answer(_unpack(content))

    def _body_size(self) -> int:
        return int.from_bytes(self.stdout[len(_MAGIC) : _PREFIX], "big")


def exchange(connection: socket.socket, frame: bytes, *, deadline: float) -> Reply:
    """Sends the frame and reads until the answer is whole, the stream ends or ``deadline`` (monotonic) has passed."""
    reply, unsent = Reply(), memoryview(frame)
    connection.setblocking(False)
    poll = select.poll()
    while not reply.finished:
        left = deadline - time.monotonic()
        if left <= 0:
            reply.late = True
            return reply
        poll.register(connection, select.POLLIN | (select.POLLOUT if unsent else 0))
        events = {event for _, event in poll.poll(left * 1000)}
        if any(event & select.POLLOUT for event in events):
            unsent = _send(connection, unsent)
        if any(event & ~select.POLLOUT for event in events):
            data = _receive(connection)
            if data == b"":
                return reply
            reply.feed(data or b"")
    return reply


def _send(connection: socket.socket, unsent: memoryview) -> memoryview:
    """A launcher that has died reads no more; that it has is seen on the reading side."""
    try:
        return unsent[connection.send(unsent[:_CHUNK]) :]
    except BlockingIOError:
        return unsent
    except OSError:
        return unsent[:0]


def _receive(connection: socket.socket) -> bytes | None:
    """None where nothing is there yet, b"" at the end."""
    try:
        return connection.recv(_CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _answer(fields: list[bytes]) -> LauncherAnswer | None:
    try:
        ended, *rest = fields
        if ended == b"refused":
            return LauncherAnswer(ended="refused", reason=rest[0].decode(errors="replace"))
        status, oom_kills, started_at, unpack_ms, script_ms = rest[0].split()
        return LauncherAnswer(
            ended=ended.decode(),
            exit_code=int(status),
            oom_kills=int(oom_kills),
            started_at=float(started_at),
            unpack_ms=int(unpack_ms),
            script_ms=int(script_ms),
            stdout=PrintedStream(head=rest[1], tail=rest[2], total=int(rest[3])),
            stderr=PrintedStream(head=rest[4], tail=rest[5], total=int(rest[6])),
        )
    except (ValueError, IndexError):
        return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _pack(fields: Iterable[bytes]) -> bytes:
    return b"".join(len(item).to_bytes(4, "big") + item for item in fields)


def _unpack(body: bytes) -> list[bytes]:
    fields, position = [], 0
    while position < len(body):
        end = position + 4 + int.from_bytes(body[position : position + 4], "big")
        fields.append(body[position + 4 : end])
        position = end
    return fields
