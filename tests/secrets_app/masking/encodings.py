"""How scripts, tools and libraries write a text; each with something around it, as in a real output."""

import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode
from xml.sax import saxutils


def _base64(before: bytes, after: bytes, *, url: bool = False, padded: bool = True) -> Callable[[str], str]:
    encode = base64.urlsafe_b64encode if url else base64.b64encode

    def encoded(text: str) -> str:
        written = encode(before + text.encode() + after).decode()
        return written if padded else written.rstrip("=")

    return encoded


def _lower_case(quoted: str) -> str:
    first, *others = quoted.split("%")
    return "%".join([first, *(other[:2].lower() + other[2:] for other in others)])


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": json.dumps,
    "json, not ascii": lambda text: json.dumps(text, ensure_ascii=False),
    "json in json": lambda text: json.dumps(json.dumps({"key": text})),
    "json in json in json": lambda text: json.dumps(json.dumps({"key": json.dumps(text)})),
    "json in json in json, not ascii": lambda text: json.dumps(
        json.dumps(json.dumps(text, ensure_ascii=False), ensure_ascii=False), ensure_ascii=False
    ),
    "json with escaped slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "url": quote,
    "url, nothing safe": lambda text: quote(text, safe=""),
    "url, lower case": lambda text: _lower_case(quote(text, safe="")),
    "url, twice": lambda text: quote(quote(text)),
    "url, twice, nothing safe": lambda text: quote(quote(text, safe=""), safe=""),
    "url in a query": lambda text: urlencode({"next": "https://example.com/?" + urlencode({"key": text})}),
    "form": quote_plus,
    "query": lambda text: urlencode({"a": 1, "key": text, "b": 2}),
    "html": lambda text: f"<p>{html.escape(text)}</p>",
    "html text": lambda text: html.escape(text, quote=False),
    "xml attribute": saxutils.quoteattr,
    "html in json": lambda text: json.dumps({"page": html.escape(text)}),
    "repr": repr,
    "repr in a list": lambda text: repr(["it's", '"', text]),
    "repr of a text around": lambda text: repr(f"""it's "{text}" """),
    "repr of bytes": lambda text: repr(text.encode()),
    "ascii": ascii,
    "shell": shlex.quote,
    "shell, backslash": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "hex": lambda text: text.encode().hex(),
    "hex, upper case": lambda text: text.encode().hex().upper(),
    "base64": _base64(b"", b""),
    "base64, no padding": _base64(b"", b"", padded=False),
    "base64, 1 before": _base64(b"u", b""),
    "base64, 2 before": _base64(b"u:", b""),
    "base64, 3 before": _base64(b"us:", b""),
    "base64, in the middle": _base64(b"user:", b"@host"),
    "base64, newline after": _base64(b"", b"\n"),
    "base64, lines": lambda text: base64.encodebytes(b"user:" + text.encode() + b"\n").decode(),
    "base64 of utf-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base64 of utf-16, in the middle": lambda text: base64.b64encode(f"-{text};".encode("utf-16-le")).decode(),
    "base64 for urls": _base64(b"", b"", url=True),
    "base64 for urls, 1 before": _base64(b"u", b"!", url=True),
    "base64 for urls, 2 before": _base64(b"u:", b"", url=True, padded=False),
}
