"""Answers of servers that mean harm, in Git's own protocol."""

import contextlib
import hashlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler

from tests.customchecks.git.server import Behaviour

FLUSH = b"0000"
ADVERTISEMENT = b"application/x-git-upload-pack-advertisement"
RESULT = b"application/x-git-upload-pack-result"


def line(content: bytes) -> bytes:
    return b"%04x" % (len(content) + 4) + content


CAPABILITIES = (
    line(b"# service=git-upload-pack\n")
    + FLUSH
    + b"".join(map(line, (b"version 2\n", b"agent=x\n", b"ls-refs\n", b"fetch=shallow\n", b"object-format=sha1\n")))
    + FLUSH
)


def protocol(*, refs: Iterable[bytes] = (), pack: Iterable[bytes] = ()) -> Behaviour:
    """Version 2: the capabilities, and then as many lines of refs or as much of a pack as are taken."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "GET":
            send(handler, ADVERTISEMENT, [CAPABILITIES])
            return
        asked = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if b"command=ls-refs" in asked:
            send(handler, RESULT, refs)
        else:
            send(handler, RESULT, pack)

    return behave


def send(handler: BaseHTTPRequestHandler, kind: bytes, pieces: Iterable[bytes]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind.decode())
    handler.send_header("Connection", "close")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for piece in pieces:
            handler.wfile.write(piece)


def many_refs(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield line(b"%040x refs/heads/%d\n" % (number + 1, number))
    yield FLUSH


def endless_refs() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield line(b"%040x refs/heads/%d\n" % (number, number))


def endless_pack(sent: list[int]) -> Iterator[bytes]:
    """One blob of many terabytes, which does not compress. ``sent`` gets the length of each piece."""
    yield line(b"shallow-info\n") + b"0001" + line(b"packfile\n")
    yield sideband(b"PACK" + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"\xb0\x80\x80\x80\x80\x80\x80\x01")
    packer = zlib.compressobj(0)
    while True:
        if piece := packer.compress(os.urandom(16384)):
            sent.append(len(piece))
            yield from (sideband(piece[start : start + 32000]) for start in range(0, len(piece), 32000))


def endless_advertisement(*, compressed: bool) -> Behaviour:
    """The old protocol, whose refs come with the first answer; as gzip a megabyte is a gigabyte."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        packer = zlib.compressobj(9, wbits=31)
        begin, block = line(b"# service=git-upload-pack\n") + FLUSH, line(b"%040x refs/heads/%s\n" % (1, b"x" * 60_000))
        handler.send_response(200)
        handler.send_header("Content-Type", ADVERTISEMENT.decode())
        if compressed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(packer.compress(begin) if compressed else begin)
            while True:
                handler.wfile.write(packer.compress(block * 16) if compressed else block * 16)

    return behave


def delta_bomb(levels: int) -> Iterator[bytes]:
    """A pack of a few hundred bytes: a text of 64 kB, and then again and again twice what was there."""
    length, objects, places = 65536, [_object(3, 65536) + zlib.compress(b"a" * 65536)], [0]
    for _ in range(levels):
        copies = b"".join(_copy(start, min(length - start, 0xFFFFFF)) for start in range(0, length, 0xFFFFFF))
        delta = _varint(length) + _varint(2 * length) + copies * 2
        place = sum(map(len, objects))
        objects.append(_object(6, len(delta)) + _offset(place - places[-1]) + zlib.compress(delta))
        places.append(place)
        length *= 2
    pack = b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big") + b"".join(objects)
    yield line(b"shallow-info\n") + b"0001" + line(b"packfile\n")
    yield sideband(pack + hashlib.sha1(pack).digest()) + FLUSH


def _varint(number: int) -> bytes:
    return bytes([number & 127]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _object(kind: int, length: int) -> bytes:
    first, rest = kind << 4 | length & 15, length >> 4
    return bytes([first | 128]) + _varint(rest) if rest else bytes([first])


def _offset(back: int) -> bytes:
    found = [back & 127]
    while back := back >> 7:
        back -= 1
        found.insert(0, 128 | back & 127)
    return bytes(found)


def _copy(start: int, length: int) -> bytes:
    """All bytes of both numbers, so that nothing has to be left out."""
    return b"\xff" + start.to_bytes(4, "little") + length.to_bytes(3, "little")


def sideband(content: bytes) -> bytes:
    return line(b"\x01" + content)


def dripping() -> Iterator[bytes]:
    """The beginning of a long line, and then a byte at a time."""
    yield b"0fff"
    while True:
        yield b"x"
        time.sleep(0.1)


def silent(_handler: BaseHTTPRequestHandler) -> None:
    time.sleep(4)


def redirect(url: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url + handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def dumb(alternate: str, commit: str) -> Behaviour:
    """The old protocol, with objects that are said to lie elsewhere."""
    answers = {
        "info/refs": f"{commit}\trefs/heads/main\n",
        "HEAD": "ref: refs/heads/main\n",
        "objects/info/http-alternates": f"{alternate}\n",
        "objects/info/alternates": f"{alternate}\n",
    }

    def behave(handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.partition("?")[0].partition(".git/")[2]
        body = answers.get(name)
        handler.send_response(200 if body else 404)
        handler.send_header("Content-Length", str(len(body or "")))
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        handler.wfile.write((body or "").encode())

    return behave
