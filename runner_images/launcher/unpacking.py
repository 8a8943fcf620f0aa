"""Puts the script and its files where they belong."""

# ruff: noqa: PTH103, PTH120

import os
import zlib

from launcher.frames import Request, write

WORK, FILES = "/work", "/run/tecko"
CHUNK = 64 * 1024


class Refused(Exception):
    """The request cannot be carried out; the message is safe to show."""


def place(request: Request) -> None:
    for name, content in request.files.items():
        create(f"{FILES}/{name.decode()}", content, 0o400)
    os.chdir(WORK)
    extract(Gunzip(request.archive))


def create(path: str, content: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        write(file, content)
    finally:
        os.close(file)


def extract(tar: "Gunzip") -> None:
    """Into the current folder, which is empty; the tar is in GNU format."""
    long_name = b""
    while (header := tar.read(512)).strip(b"\0"):
        kind, size = header[156:157], int(header[124:136].strip(b"\0 ") or b"0", 8)
        content = tar.read(size)
        tar.read(-size % 512)
        if kind == b"L":
            long_name = content
            continue
        path = inside(long_name or header[:100])
        long_name = b""
        if kind == b"5":
            os.makedirs(path, exist_ok=True)
        elif kind in (b"0", b"\0"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            create(path, content, 0o644)
        else:
            raise Refused("The archive has something that is neither a file nor a directory.")


def inside(name: bytes) -> str:
    path = os.fsdecode(name.split(b"\0", 1)[0])
    if path.startswith("/") or ".." in path.split("/"):
        raise Refused("The archive has a path that leaves its folder.")
    return path


class Gunzip:
    def __init__(self, content: bytes) -> None:
        self.inflater = zlib.decompressobj(31)
        self.source = memoryview(content)
        self.ready = bytearray()

    def read(self, size: int) -> bytes:
        while len(self.ready) < size:
            if not self.source:
                raise Refused("The archive is cut short.")
            self.ready += self.inflater.decompress(self.source[:CHUNK])
            self.source = self.source[CHUNK:]
        data = bytes(self.ready[:size])
        del self.ready[:size]
        return data
