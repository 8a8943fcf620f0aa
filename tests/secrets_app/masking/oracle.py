"""Looks for a secret in a text by decoding the text: independent of how the masker searches."""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote, unquote_plus

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+")
_ESCAPE = re.compile(
    r"\\(?:u(?P<long>[0-9a-fA-F]{4})|U(?P<longest>[0-9a-f]{8})|x(?P<short>[0-9a-fA-F]{2})|(?P<sign>.))", re.DOTALL
)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def leaked(secret: str, text: str) -> bool:
    decoded = b"\0".join(_decoded(text))
    found = secret.encode() in decoded or secret.encode("utf-16-le") in decoded
    return found or any(secret in reading for reading in _readings(text))


def _readings(text: str) -> Iterator[str]:
    yield text
    for once in (decode(text) for decode in _DECODERS):
        yield once
        yield from (decode(once) for decode in _DECODERS)
    yield _unescape(_unescape(_unescape(text)))


def _unescape(text: str) -> str:
    """Backslashes of JSON and Python, with the surrogate pairs of JSON."""
    plain = _ESCAPE.sub(_meaning, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _meaning(found: re.Match[str]) -> str:
    code = found["long"] or found["longest"] or found["short"]
    return chr(int(code, 16)) if code else {"n": "\n", "r": "\r", "t": "\t"}.get(found["sign"], found["sign"])


def _from_bytes_literal(text: str) -> str:
    return _unescape(text).encode("latin-1", "replace").decode("utf-8", "replace")


def _from_shell(text: str) -> str:
    return text.replace("'\"'\"'", "'").replace("'\\''", "'")


_DECODERS: tuple[Callable[[str], str], ...] = (
    unquote,
    unquote_plus,
    html.unescape,
    _unescape,
    _from_bytes_literal,
    _from_shell,
)


def _decoded(text: str) -> Iterator[bytes]:
    unwrapped = re.sub(r"\s", "", text)
    for each in {text, unwrapped}:
        for run in _HEX.findall(each):
            yield bytes.fromhex(run)
        for run in _BASE64.findall(each):
            for start in range(4):
                yield _from_base64(run[start:])


def _from_base64(run: str) -> bytes:
    try:
        return base64.b64decode(run.translate(str.maketrans("-_", "+/")) + "===")
    except binascii.Error:
        # One character more than whole groups
        return base64.b64decode(run[:-1].translate(str.maketrans("-_", "+/")) + "===")
