"""The request and the answer as bytes.

A frame, both ways: MAGIC, 4 bytes length of the body (big endian), body. A body is a list of byte strings, each behind
4 bytes of length. The answer's first string is the HMAC-SHA256 of the rest, with the key that came in the request.
"""

import os

try:
    from _sha256 import sha256
except ImportError:  # Python 3.12 and later
    from _sha2 import sha256

MAGIC = b"TECKO\x001\n"
MAX_REQUEST = 64 * 1024 * 1024
PIECE = 1024 * 1024


class Request:
    def __init__(self, body: bytes) -> None:
        self.key, numbers, argv, env, self.archive, files = unpack(body)
        self.timeout, self.limit, self.head, *self.tails = (int(number) for number in numbers.split())
        self.argv = unpack(argv)
        self.env = pairs(unpack(env))
        self.files = pairs(unpack(files))


def receive() -> bytes:
    header = read_exactly(len(MAGIC) + 4)
    length = int.from_bytes(header[len(MAGIC) :], "big")
    if not header.startswith(MAGIC) or length > MAX_REQUEST:
        raise SystemExit("not a request")
    return read_exactly(length)


def read_exactly(size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        data = os.read(0, min(size - len(received), PIECE))
        if not data:
            os._exit(0)
        received += data
    return bytes(received)


def unpack(body: bytes) -> list[bytes]:
    fields, position = [], 0
    while position < len(body):
        end = position + 4 + int.from_bytes(body[position : position + 4], "big")
        fields.append(body[position + 4 : end])
        position = end
    return fields


def pairs(fields: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(fields[::2], fields[1::2], strict=True))


def pack(fields: list[bytes]) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def answer(key: bytes, fields: list[bytes]) -> None:
    content = pack(fields)
    body = pack([mac(key, content)]) + content
    write(1, MAGIC + len(body).to_bytes(4, "big") + body)


def mac(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104); the key is at most one block of 64 bytes."""
    block = key.ljust(64, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in block) + content).digest()
    return sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


def write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]
