"""Every way in which the value of a secret is written in a text that we store, show or send."""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from secrets_app.masking.decodings import LINE_BREAK, readings

SHORTEST = 6
"""Characters. What is shorter is not searched for: it would be found in every other text."""

# What the encoders of urllib, of browsers and of form posts leave as it is
_URL_SAFE = ("", "/", "!*'()", ";,/?:@&=+$!*'()#")

_UTF_16 = ("utf-16-le", "utf-16-be")
_XML_SPACES = str.maketrans({"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def needles(value: str) -> set[str]:
    """All forms of a value and of its lines; none where the value is too short."""
    written = {form for part in _parts(value) for form in _forms(part)}
    # A script's line of JSON holds every other form escaped once more
    escaped = {form for each in written for form in _json(each)}
    deeper = {form for part in _parts(value) for form in _json_in_json(part)}
    return {form for form in written | escaped | deeper if len(form) >= SHORTEST}


def plain(value: str) -> set[str]:
    """What remains of a value when a text is read without its escapes: itself, and what no reading takes away."""
    forms = {form for part in _parts(value) for form in _kept(part)}
    return {form for form in forms if len(form) >= SHORTEST}


def _kept(text: str) -> Iterator[str]:
    for form in (text, *_printed_utf_16(text)):
        yield form
        yield from (reading.text for reading in readings(form))
    yield from _encoded(text)


def _parts(value: str) -> Iterator[str]:
    if len(value) < SHORTEST:
        return
    yield value
    for line in (*value.splitlines(), *LINE_BREAK.split(value)):
        yield from (part for part in {line, line.strip()} if len(part) >= SHORTEST)


def _forms(text: str) -> Iterator[str]:
    yield text
    yield from _json(text)
    yield from _url(text)
    yield from _markup(text)
    yield from _literal(text)
    yield from _shell(text)
    yield from _doubled(text)
    yield from _encoded(text)
    yield from _printed_utf_16(text)
    # A file system or a browser may have put letters and their marks together, or taken them apart
    yield from (unicodedata.normalize(form, text) for form in ("NFC", "NFD") if not text.isascii())


def _encoded(text: str) -> Iterator[str]:
    """UTF-16 is that of PowerShell and of Windows."""
    for encoding in ("utf-8", *_UTF_16):
        data = text.encode(encoding, errors="surrogatepass")
        yield from (data.hex(), data.hex().upper())
        yield from _base64(data)


def _printed_utf_16(text: str) -> Iterator[str]:
    """What is read of its bytes. Those of ASCII are the text with a NUL after each sign, which readings take away."""
    for encoding in _UTF_16 if not text.isascii() else ():
        yield text.encode(encoding, errors="surrogatepass").decode(errors="replace").replace("\0", "\ufffd")


def _json_in_json(text: str) -> set[str]:
    """Three times: a message with an answer of a service that holds JSON itself, in a script's line of JSON."""
    forms = {text}
    for _ in range(3):
        forms = {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in forms for ascii_only in (True, False)}
    return forms


def _json(text: str) -> Iterator[str]:
    """As Python, JavaScript, Go (which escapes markup), PHP (slashes) and .NET (capital digits) write it."""
    for inner in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        for markup in (inner, _escaped_markup(inner)):
            yield from (markup, markup.replace("/", "\\/"))
            yield re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), markup)


def _escaped_markup(text: str) -> str:
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _url(text: str) -> Iterator[str]:
    for quoted in _quoted(text):
        yield from _both_cases(quoted)
        # A URL within a parameter of another
        yield from _both_cases(quoted.replace("%", "%25"))
        for safe in ("", "/"):
            yield from _both_cases(quote(quoted, safe=safe))


def _quoted(text: str) -> set[str]:
    plain = {quote(text, safe=safe, errors="surrogatepass") for safe in _URL_SAFE}
    posted = {quote_plus(text, safe=safe, errors="surrogatepass") for safe in ("", "*")}
    return plain | posted | {form.replace("~", "%7E") for form in posted}


def _both_cases(quoted: str) -> Iterator[str]:
    yield quoted
    yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def _markup(text: str) -> Iterator[str]:
    bare = html.escape(text, quote=False)
    double = bare.replace('"', "&quot;")
    escaped = [bare, double, *(double.replace("'", sign) for sign in ("&#x27;", "&#39;", "&apos;"))]
    escaped.append(bare.replace('"', "&#34;").replace("'", "&#39;"))
    for form in escaped:
        for spaced in (form, form.translate(_XML_SPACES)):
            yield from (spaced, spaced.encode("ascii", "xmlcharrefreplace").decode())


def _literal(text: str) -> Iterator[str]:
    """Python's repr, ascii and repr of bytes; a quote in the text around decides which quotes are escaped."""
    data = text.encode(errors="surrogatepass")
    for escaped in (repr('"' + text)[2:-1], ascii('"' + text)[2:-1], repr(b'"' + data)[3:-1]):
        yield from (escaped, escaped.replace("\\'", "'"))


def _shell(text: str) -> Iterator[str]:
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield re.sub(r'(["$`\\])', r"\\\1", text)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)


def _doubled(text: str) -> Iterator[str]:
    """As CSV, SQL, YAML and PowerShell write a quote within quotes."""
    for sign in "\"'`":
        yield text.replace(sign, sign * 2)


def _base64(data: bytes) -> Iterator[str]:
    """All that is certain when the data begins at any of the three places in a group and goes on or ends."""
    for before, unsure in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(bytes(before) + data).decode()[unsure:]
        ended = encoded.rstrip("=")
        padding = len(encoded) - len(ended)
        certain = ended[:-1] if padding else ended
        yield from _both_alphabets((encoded, ended, certain))


def _both_alphabets(forms: Iterable[str]) -> Iterator[str]:
    for form in forms:
        yield from (form, form.translate(str.maketrans("+/", "-_")))
