"""The conversation with a launcher, with a socket pair in place of the engine."""

import hashlib
import hmac
import io
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.archives.script_archive import normalise
from customchecks.sandbox import stream
from launcher import frames, unpacking
from tests.factories import tgz

KEY = b"k" * 32
FIELDS = [b"exited", b"0 0 1700000000.5 3 7", b"out", b"", b"3", b"", b"", b"0"]


def test_an_answer_is_read() -> None:
    reply = stream.Reply()
    reply.feed(_multiplexed(_frame(FIELDS)))
    answer = reply.answer(KEY)
    assert answer
    assert (answer.exit_code, answer.oom_kills, answer.unpack_ms, answer.script_ms) == (0, 0, 3, 7)
    assert (answer.stdout.content, answer.stdout.cut, answer.started_at) == (b"out", 0, 1700000000.5)


@given(st.lists(st.integers(min_value=1, max_value=200), max_size=5))
def test_an_answer_may_come_in_any_pieces(sizes: list[int]) -> None:
    data = _multiplexed(_frame(FIELDS))
    reply, position = stream.Reply(), 0
    for size in [*sizes, len(data)]:
        reply.feed(data[position : position + size])
        position += size
    assert reply.finished
    assert reply.answer(KEY)


@given(st.lists(st.binary(max_size=300)))
def test_whatever_a_container_sends_is_no_answer_and_no_error(pieces: list[bytes]) -> None:
    reply = stream.Reply()
    for piece in pieces:
        reply.feed(piece)
    assert reply.answer(KEY) is None


@given(st.binary(max_size=400))
def test_a_frame_with_any_body_is_no_answer_without_the_key(body: bytes) -> None:
    reply = stream.Reply()
    reply.feed(_multiplexed(stream._MAGIC + len(body).to_bytes(4, "big") + body))
    assert reply.finished
    assert reply.answer(KEY) is None


@given(st.lists(st.binary(max_size=20)))
def test_an_authentic_answer_that_makes_no_sense_is_none(fields: list[bytes]) -> None:
    reply = stream.Reply()
    reply.feed(_multiplexed(_frame([b"exited", *fields])))
    assert reply.answer(KEY) is None or len(fields) >= 7


def test_one_byte_changed_is_no_answer() -> None:
    frame = bytearray(_frame(FIELDS))
    frame[-1] ^= 1
    reply = stream.Reply()
    reply.feed(_multiplexed(bytes(frame)))
    assert reply.answer(KEY) is None


def test_bytes_before_the_frame_end_the_conversation() -> None:
    reply = stream.Reply()
    reply.feed(_multiplexed(b"hello" + _frame(FIELDS)))
    assert reply.finished
    assert reply.answer(KEY) is None


def test_what_the_launcher_says_on_stderr_is_kept_in_part() -> None:
    reply = stream.Reply()
    for _ in range(10):
        reply.feed(_multiplexed(b"e" * 1000, channel=2))
    assert len(reply.diagnostics) == stream.MAX_DIAGNOSTICS


def test_the_exchange_ends_with_the_answer_not_with_the_stream(pair: "Pair") -> None:
    pair.play(lambda engine: engine.sendall(_multiplexed(_frame(FIELDS))))
    assert stream.exchange(pair.ours, b"frame", deadline=time.monotonic() + 10).answer(KEY)


def test_the_exchange_ends_at_its_deadline(pair: "Pair") -> None:
    began = time.monotonic()
    assert stream.exchange(pair.ours, b"frame", deadline=began + 0.2).late
    assert time.monotonic() - began < 2


def test_a_container_that_dies_before_it_has_read_ends_the_exchange(pair: "Pair") -> None:
    pair.play(lambda engine: engine.close())
    reply = stream.exchange(pair.ours, b"x" * 20_000_000, deadline=time.monotonic() + 10)
    assert (reply.late, reply.answer(KEY)) == (False, None)


def test_a_container_that_floods_is_left_at_once(pair: "Pair") -> None:
    pair.play(_flood)
    began = time.monotonic()
    reply = stream.exchange(pair.ours, b"frame", deadline=began + 20)
    assert time.monotonic() - began < 5
    assert len(reply.stdout) <= stream.MAX_ANSWER


def test_a_piece_longer_than_any_answer_is_not_waited_for(pair: "Pair") -> None:
    pair.play(lambda engine: engine.sendall(b"\1\0\0\0\xff\xff\xff\xff" + b"x" * 1000))
    assert not stream.exchange(pair.ours, b"frame", deadline=time.monotonic() + 10).late


@given(st.binary(max_size=64), st.binary())
def test_launcher_and_host_agree_on_the_hmac(key: bytes, content: bytes) -> None:
    assert frames.mac(key, content) == hmac.digest(key, content, hashlib.sha256)


@given(st.dictionaries(st.text(), st.text()), st.lists(st.text(), min_size=1))
def test_the_launcher_reads_the_request_that_was_written(env: dict[str, str], argv: list[str]) -> None:
    frame = stream.request_frame(
        key=KEY, timeout_seconds=7, argv=argv, env=env, archive=b"tgz", files={"ca.pem": b"pem"}
    )
    request = frames.Request(frame[len(frames.MAGIC) + 4 :])
    assert (request.key, request.timeout, request.archive) == (KEY, 7, b"tgz")
    assert request.files == {b"ca.pem": b"pem"}
    assert request.argv == [word.encode(errors="replace") for word in argv]


def test_the_launcher_unpacks_what_the_archives_module_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"main.py": b"1", f"{'deep/' * 15}{'n' * 100}.py": b"2" * 100_000, "größe/datei.txt": b""}
    archive = normalise(io.BytesIO(tgz(files)))
    monkeypatch.chdir(tmp_path)
    unpacking.extract(unpacking.Gunzip(archive.content))
    assert {path: (tmp_path / path).read_bytes() for path in files} == files


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_the_launcher_refuses_a_path_that_leaves_its_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(unpacking.Refused):
        unpacking.extract(unpacking.Gunzip(tgz({name: "x"})))
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=2000))
def test_the_launcher_refuses_an_archive_that_is_none(content: bytes) -> None:
    with pytest.raises((unpacking.Refused, ValueError, OSError, zlib.error)):
        unpacking.extract(unpacking.Gunzip(content))


class Pair:
    """Our end of an attached stream, and an engine's that plays a part in a thread."""

    def __init__(self) -> None:
        self.ours, self._engine = socket.socketpair()
        self._threads: list[threading.Thread] = []

    def play(self, part: Callable[[socket.socket], object]) -> None:
        self._threads.append(threading.Thread(target=part, args=(self._engine,)))
        self._threads[-1].start()

    def close(self) -> None:
        self.ours.close()
        for thread in self._threads:
            thread.join(10)
        self._engine.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    found = Pair()
    yield found
    found.close()


def _flood(engine: socket.socket) -> None:
    piece = _multiplexed(os.urandom(32_000))
    try:
        while True:
            engine.sendall(piece)
    except OSError:
        return


def _frame(fields: list[bytes]) -> bytes:
    content = stream._pack(fields)
    body = stream._pack([hmac.digest(KEY, content, hashlib.sha256)]) + content
    return stream._MAGIC + len(body).to_bytes(4, "big") + body


def _multiplexed(payload: bytes, *, channel: int = 1) -> bytes:
    return bytes([channel, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload
