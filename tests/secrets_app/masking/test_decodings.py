"""Secrets are found where a text says them in another way than as they are."""

import base64
import html
import json
import quopri
import re
import textwrap
import unicodedata
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secrets_app.masking.decodings import readings
from secrets_app.masking.masker import MASK, Masker
from tests.growth import grows_linearly

TOKEN = "sk-Ab3/9+xZ_q7Lw=="
PHRASE = """it's "so" \\ <b>&amp; pässwörd 100%"""

Write = Callable[[str], str]


def each(write: Callable[[str], str]) -> Write:
    return lambda text: "".join(map(write, text))


def every_byte(form: str) -> Write:
    return lambda text: "".join(form.format(byte) for byte in text.encode())


WAYS: dict[str, Write] = {
    "JSON, every character": each(lambda sign: f"\\u{ord(sign):04x}"),
    "JSON, capital digits": each(lambda sign: f"\\u{ord(sign):04X}"),
    "JSON, signs only": each(lambda sign: sign if sign.isalnum() else f"\\u{ord(sign):04X}"),
    "JSON, some letters": each(lambda sign: f"\\u{ord(sign):04x}" if sign in "sAx" else json.dumps(sign)[1:-1]),
    "JSON in JSON, every character": each(lambda sign: f"\\\\u{ord(sign):04x}"),
    "JavaScript, braces": each(lambda sign: f"\\u{{{ord(sign):x}}}"),
    "Python, eight digits": each(lambda sign: f"\\U{ord(sign):08x}"),
    "C, two digits": every_byte("\\x{:02x}"),
    "C, capital digits": every_byte("\\x{:02X}"),
    "C, octal": every_byte("\\{:03o}"),
    "HTML, decimal": each(lambda sign: f"&#{ord(sign)};"),
    "HTML, hexadecimal": each(lambda sign: f"&#x{ord(sign):x};"),
    "HTML, capital digits": each(lambda sign: f"&#X{ord(sign):X};"),
    "HTML, signs only": each(lambda sign: sign if sign.isalnum() else f"&#x{ord(sign):02X};"),
    "HTML, named": lambda text: html.escape(text).replace("/", "&sol;").replace("+", "&plus;").replace("=", "&equals;"),
    "HTML, twice": lambda text: html.escape(html.escape(text)),
    "URL, every byte": every_byte("%{:02X}"),
    "URL, mixed case": lambda text: "".join(
        f"%{byte:02{'xX'[number % 2]}}" for number, byte in enumerate(text.encode())
    ),
    "URL, partly": lambda text: quote(text[:8], safe="") + text[8:].replace("%", "%25"),
    "URL, letters too": each(lambda sign: f"%{ord(sign):02X}" if sign in "As" else quote(sign, safe="")),
    "URL, three times": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "URL, Latin-1": lambda text: quote(text, safe="", encoding="latin-1"),
    "URL in JSON": lambda text: json.dumps(quote(text, safe="")).replace("%", "\\u0025"),
    "JSON in a URL": lambda text: quote(json.dumps(text), safe=""),
    "HTML in a URL in JSON": lambda text: json.dumps(quote(html.escape(text), safe="")).replace("%", "\\u0025"),
    "CSV": lambda text: '"' + text.replace('"', '""') + '"',
    "SQL": lambda text: "'" + text.replace("'", "''") + "'",
    "SQL in JSON": lambda text: json.dumps(text.replace("'", "''")),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "quoted-printable, every byte": every_byte("={:02X}"),
    "base64, percent-encoded": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64, percent-encoded in small letters": lambda text: re.sub(
        "%[0-9A-F]{2}", lambda found: found[0].lower(), quote(base64.b64encode(f"u:{text}".encode()), safe="")
    ),
    "base64 for URLs, in a path": lambda text: (
        "https://example.com/x/" + base64.urlsafe_b64encode(f"u:{text}".encode()).decode().rstrip("=") + "/y"
    ),
    "base64 in .NET's JSON": lambda text: base64.b64encode(text.encode()).decode().replace("+", "\\u002B"),
    "base64 in PHP's JSON": lambda text: base64.b64encode(text.encode()).decode().replace("/", "\\/"),
    "base64, escaped lines": lambda text: base64.encodebytes((text * 4).encode()).decode().replace("\n", "%0A"),
    "base64 of UTF-16, big end first": lambda text: base64.b64encode(text.encode("utf-16-be")).decode(),
    "UTF-16": lambda text: text.encode("utf-16-le").decode(errors="replace").replace("\0", "\ufffd"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be").decode(errors="replace").replace("\0", "\ufffd"),
    "UTF-16, NULs": lambda text: text.encode("utf-16-le").decode(errors="replace"),
    "UTF-16, hexadecimal": lambda text: text.encode("utf-16-le").hex(),
    "zero width": "\u200b".join,
    "zero width, sometimes": lambda text: text[:4] + "\u2060" + text[4:9] + "\ufeff" + text[9:],
    "soft hyphens": "\xad".join,
    "direction marks": lambda text: f"{text[:5]}\u202e{text[5:]}",
    "colours": lambda text: f"{text[:5]}\x1b[1;31m{text[5:9]}\x1b[0m{text[9:]}",
    "colours in JSON": lambda text: json.dumps(f"{text[:5]}\x1b[1;31m{text[5:]}"),
    "backspaces": lambda text: f"{text[:5]}\x08{text[5:]}",
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "hexadecimal with colons": lambda text: text.encode().hex(":").upper(),
    "hexadecimal, C's array": lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode()),
    "a list of bytes": lambda text: str(list(text.encode())),
    "a list of bytes, JSON": lambda text: json.dumps(list(text.encode()), separators=(",", ":")),
    "wrapped": lambda text: "\n".join(textwrap.wrap(f"{'-' * 68} {text}", 76, break_on_hyphens=False)) or text,
    "wrapped hard": lambda text: f"{text[:7]}\n    {text[7:]}",
    "wrapped, escaped": lambda text: json.dumps(f"{text[:7]}\n{text[7:]}"),
    "continued": lambda text: f"{text[:7]}\\\n{text[7:]}",
    "letters and marks": lambda text: unicodedata.normalize("NFD", text),
    "letters and marks in a URL": lambda text: quote(unicodedata.normalize("NFD", text), safe=""),
}


@pytest.mark.parametrize("secret", [TOKEN, PHRASE], ids=["token", "phrase"])
@pytest.mark.parametrize("write", WAYS.values(), ids=WAYS)
def test_it_is_found_however_it_is_written(write: Write, secret: str) -> None:
    written = write(secret)
    masked = Masker([secret]).text(f"before {written} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    left = masked.removeprefix("before ").removesuffix(" after").replace(MASK, "")
    assert len(left) < len(written) // 3 or len(left) <= len(written) - len(secret)
    assert not any(secret[place : place + 6] in reading.text for reading in readings(left) for place in range(9))


@pytest.mark.parametrize("write", [WAYS["JSON, every character"], WAYS["URL, every byte"], WAYS["HTML, decimal"]])
def test_only_the_secret_is_masked(write: Write) -> None:
    text = f"a\\u0062c %41 &#47; {write(TOKEN)} \\u0064 %42"
    assert Masker([TOKEN]).text(text) == f"a\\u0062c %41 &#47; {MASK} \\u0064 %42"


@pytest.mark.parametrize("write", [WAYS["JSON, every character"], WAYS["URL, every byte"], WAYS["C, octal"]])
def test_a_secret_that_is_written_so_and_cut_leaves_little_on_either_side(write: Write) -> None:
    written = write(TOKEN)
    unit = len(written) // len(TOKEN)
    for place in range(len(written) + 1):
        head, tail = Masker([TOKEN]).cut_text(f"head {written[:place]}", f"{written[place:]} tail")
        assert len(head.removeprefix("head ").replace(MASK, "")) < 4 * unit
        assert len(tail.removesuffix(" tail").replace(MASK, "")) < 5 * unit


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "", "b": [1, 2, 3, 4, 5, 6, 7], "c": "\\u00e4 \\n"}',
        "2026-11-25T10:00:00Z 10:20:30:40:50:60 de ad be ef ca fe",
        "100 %, %20, &nbsp;&amp; C:\\new\\x41 \x1b[31mred\x1b[0m\u200b =3D=\n",
    ],
)
def test_what_has_no_secret_stays_as_it_is(text: str) -> None:
    assert Masker([TOKEN, PHRASE]).text(text) == text


alphabet = st.text("sk-3/=+ \\%&;#ux0241'\"\n\u200bé", max_size=30)


@given(before=alphabet, after=alphabet)
def test_around_it_may_be_anything(before: str, after: str) -> None:
    assert TOKEN not in Masker([TOKEN]).text(before + TOKEN + after)


@given(text=alphabet)
def test_every_character_that_is_read_has_its_place_in_the_text(text: str) -> None:
    for reading in readings(text):
        spans = [reading.original((place, place + 1)) for place in range(len(reading.text))]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


UNITS = ["\\", "\\u0041", "\\\\u0041", "\\x", "\\101", "%", "%25", "%41", "&", "&amp;", "&#47;", "&a", "=", "=3D"]
UNITS += ["ab ", "ab:", "1,", "12, ", "0x", "é", "\n", "\\n", " ", "=\n", "a\\", "\ud800", "\x1b[", "\ufffd"]


@pytest.mark.parametrize("unit", UNITS)
def test_reading_takes_twice_as_long_for_twice_the_text(unit: str) -> None:
    masker = Masker([TOKEN, PHRASE])
    grows_linearly(masker.text, lambda size: unit * (size // len(unit)), size=256 * 1024)


@pytest.mark.parametrize("unit", ["nothing to see\n", f"{TOKEN} ", TOKEN[:-1], "\\u0073k-Ab3/9"])
def test_many_secrets_in_a_long_text_take_twice_as_long_for_twice_the_text(unit: str) -> None:
    masker = Masker([f"{number}-{TOKEN}" for number in range(100)])
    grows_linearly(masker.text, lambda size: unit * (size // len(unit)), size=256 * 1024)


@pytest.mark.parametrize("unit", ["a", "12345678\n", "abcdef\\n", "\\", "'", "\\u0041", "%", "é", "\n"])
def test_getting_ready_for_a_secret_takes_twice_as_long_for_twice_its_length(unit: str) -> None:
    grows_linearly(lambda value: Masker([value]), lambda size: unit * (size // len(unit)), size=64 * 1024)


def test_twice_as_many_secrets_take_twice_as_long() -> None:
    text = "nothing to see here\n" * 3000
    grows_linearly(
        lambda values: Masker(values).text(text), lambda count: [f"{n}-{TOKEN}" for n in range(count)], size=32
    )
