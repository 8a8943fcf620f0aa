"""A text as its reader takes it: without the escapes, the wrapping and the invisible signs that it is written with.

A reading knows where in the text each of its characters comes from. Reading takes linear time: a pattern takes what it
has looked at.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Span = tuple[int, int]
Piece = tuple[int, int, str]
"""Where it begins and ends in the text, and what is read there."""

LINE_BREAK = re.compile(r"(?:\r|\n|\\{1,4}[rn])[ \t]*")
"""The end of a line, also one that is escaped, with the indentation of the next."""
DEEPEST = 3  # ways of writing within each other, such as an entity in a URL in JSON

_HEX = "[0-9A-Fa-f]"
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# Control characters (U+FFFD is what has become of a NUL), formatting and variation selectors
_UNSEEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufffd\U000e0000-\U000e01ef"
)
# What was escaped several times has more backslashes, "25" after its percent sign, "amp;" after its ampersand
_ESCAPE = re.compile(
    rf"""[\\%&\x1b{_UNSEEN}](?:
      (?<=\\)(?:
          (?P<surrogates>\\*+u[dD][89abAB]{_HEX}{{2}}\\++u[dD][c-fC-F]{_HEX}{{2}})
        | \\*+(?:u(?P<short>{_HEX}{{4}})|u\{{(?P<braced>{_HEX}{{1,6}})\}}|U(?P<long>{_HEX}{{8}}))
        | (?P<bytes>\\*+(?:x{_HEX}{{2}}|[0-3][0-7]{{2}})(?:\\++(?:x{_HEX}{{2}}|[0-3][0-7]{{2}}))*+)
        | \\*+(?P<control>[abfnrtv])
        | (?P<backslashes>\\*+)
      )
    | (?<=%)(?:u(?P<wide>{_HEX}{{4}})|(?P<percent>(?:25)*{_HEX}{{2}}(?:%(?:25)*{_HEX}{{2}})*+))
    | (?<=&)(?P<ampersands>(?:amp;)*+)(?P<entity>(?:\#[0-9]{{1,7}}|\#[xX]{_HEX}{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});)?
    | (?<=\x1b)(?P<colour>\[[0-?]*+[\x20-/]*+[@-~]|)
    | (?<=[{_UNSEEN}])(?P<unseen>)
    )""",
    re.VERBOSE,
)
_PRINTABLE = re.compile(rf"(?P<soft>=[ \t]{{0,80}}\r?\n)|(?P<bytes>={_HEX}{{2}}(?:={_HEX}{{2}})*+)")
_A_BYTE = re.compile(rf"(?:x|%(?:25)*|=)({_HEX}{{2}})|([0-3][0-7]{{2}})")
_HEX_LIST = re.compile(rf"\b(?:0x)?{_HEX}{{2}}(?:(?:,[ ]?|[ ]{{1,2}}|[:-])(?:0x)?{_HEX}{{2}}\b){{5,}}+")
_HEX_PAIR = re.compile(rf"{_HEX}{{2}}(?!x)")
_DECIMAL_LIST = re.compile(r"\b[0-9]{1,3}(?:,\s{0,20}[0-9]{1,3}\b){5,}+")
_DECIMAL = re.compile("[0-9]{1,3}")
_LOWEST_BYTE = 9  # of a text: a list of small numbers is none


@dataclass(frozen=True)
class Reading:
    """``_starts`` are the places in it where another origin begins; an origin without length goes on as it is."""

    text: str
    _starts: list[int] = field(repr=False)
    _origins: list[Span] = field(repr=False)
    _below: "Reading | None" = field(default=None, repr=False)

    @classmethod
    def of(cls, text: str, pieces: Iterable[Piece], *, below: "Reading | None" = None) -> "Reading | None":
        """None where the text is read as it is written."""
        parts: list[str] = []
        starts, origins = [0], [(0, 0)]
        position = length = 0
        for start, end, read in pieces:
            parts += (text[position:start], read)
            length += start - position
            if read:
                starts.append(length)
                origins.append((start, end))
            length += len(read)
            starts.append(length)
            origins.append((end, end))
            position = end
        return cls("".join([*parts, text[position:]]), starts, origins, below) if parts else None

    def original(self, span: Span) -> Span:
        found = self._place(span[0])[0], self._place(span[1] - 1)[1]
        return self._below.original(found) if self._below else found

    def _place(self, position: int) -> Span:
        found = bisect_right(self._starts, position) - 1
        start, end = self._origins[found]
        if end > start:
            return start, end
        place = start + position - self._starts[found]
        return place, place + 1


def readings(text: str) -> Iterator[Reading]:
    """Other ways to read a text than as it is written; none for most texts."""
    for pieces in (_unescaped, _printable, _hex_list, _decimal_list, _decomposed):
        reading = Reading.of(text, pieces(text))
        if reading is not None:
            yield reading
            yield from _deeper(reading)


def unwrapped(text: str, *, joint: str, below: Reading | None = None) -> Reading | None:
    return Reading.of(text, ((*found.span(), joint) for found in LINE_BREAK.finditer(text)), below=below)


def _deeper(reading: Reading) -> Iterator[Reading]:
    for _ in range(DEEPEST - 1):
        below = reading
        found = Reading.of(below.text, _unescaped(below.text), below=below)
        if found is None:
            found = Reading.of(below.text, _decomposed(below.text), below=below)
        if found is None or found.text == below.text:
            return
        yield found
        reading = found


def _unescaped(text: str) -> Iterator[Piece]:
    for found in _ESCAPE.finditer(text):
        yield from _READERS[found.lastgroup or ""](found)


def _printable(text: str) -> Iterator[Piece]:
    """Quoted-printable; by itself, because NAME=value has such signs as well."""
    for found in _PRINTABLE.finditer(text):
        yield from _bytes(found) if found["bytes"] else _nothing(found)


def _hex_list(text: str) -> Iterator[Piece]:
    """Bytes one by one, with spaces, colons or commas."""
    for run in _HEX_LIST.finditer(text):
        pairs = list(_HEX_PAIR.finditer(text, *run.span()))
        yield from _characters([int(pair[0], 16) for pair in pairs], [pair.span() for pair in pairs])


def _decimal_list(text: str) -> Iterator[Piece]:
    for run in _DECIMAL_LIST.finditer(text):
        numbers = list(_DECIMAL.finditer(text, *run.span()))
        values = [int(number[0]) for number in numbers]
        if min(values) >= _LOWEST_BYTE and max(values) < 256:
            yield from _characters(values, [number.span() for number in numbers])


def _decomposed(text: str) -> Iterator[Piece]:
    """Letters and their marks, one by one."""
    if text.isascii():
        return
    for place, character in enumerate(text):
        if character > "\x7f" and (read := unicodedata.normalize("NFD", character)) != character:
            yield place, place + 1, read


def _nothing(found: re.Match[str]) -> Iterator[Piece]:
    yield *found.span(), ""


def _code(found: re.Match[str]) -> Iterator[Piece]:
    code = int(found[found.lastgroup or 0], 16)
    yield *found.span(), chr(code) if code < 0x110000 else ""


def _surrogates(found: re.Match[str]) -> Iterator[Piece]:
    high, low = (int(digits, 16) for digits in re.findall(f"u({_HEX}{{4}})", found[0]))
    yield *found.span(), chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)


def _control(found: re.Match[str]) -> Iterator[Piece]:
    yield *found.span(), _CONTROL[found["control"]]


def _entity(found: re.Match[str]) -> Iterator[Piece]:
    start, end = found.start(), found.end("ampersands")
    if found["entity"]:
        written = f"&{found['entity']}"
        if (read := html.unescape(written)) != written:
            yield start, found.end(), read
            return
    if end > start + 1:
        yield start, end, "&"


def _bytes(found: re.Match[str]) -> Iterator[Piece]:
    offset = found.start()
    each = list(_A_BYTE.finditer(found[0]))
    ends = [offset + one.end() for one in each]
    values = [int(one[1], 16) if one[1] else int(one[2], 8) for one in each]
    yield from _characters(values, list(zip([offset, *ends], ends, strict=False)))


def _characters(values: list[int], spans: list[Span]) -> Iterator[Piece]:
    """UTF-8, and Latin-1 where it is none. What lies between the bytes is left out."""
    place = 0
    previous = spans[0][0]
    for character in bytes(values).decode("utf-8", "surrogateescape"):
        if broken := "\udc80" <= character <= "\udcff":
            character = chr(ord(character) - 0xDC00)
        count = 1 if broken else len(character.encode())
        start, end = spans[place][0], spans[place + count - 1][1]
        if start > previous:
            yield previous, start, ""
        yield start, end, character
        place, previous = place + count, end


_READERS: dict[str, Callable[[re.Match[str]], Iterator[Piece]]] = {
    "surrogates": _surrogates,
    "short": _code,
    "braced": _code,
    "long": _code,
    "wide": _code,
    "bytes": _bytes,
    "percent": _bytes,
    "control": _control,
    "backslashes": _nothing,
    "ampersands": _entity,
    "entity": _entity,
    "colour": _nothing,
    "unseen": _nothing,
}
