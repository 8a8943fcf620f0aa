"""Replaces secrets by a mask: the forms that ``needles`` knows, in every reading of a text that ``readings`` knows.

Not found, on purpose and by a test: what a script turned round, compressed, cut in parts or enciphered itself.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from secrets_app.masking.decodings import LINE_BREAK, Reading, readings, unwrapped
from secrets_app.masking.encodings import SHORTEST, needles, plain
from secrets_app.masking.search import Search, Span, beginnings

MASK = "***"
DEEPEST = 100
SHORTEST_CUT = 4

# A value may be broken at the end of any line; its forms are so many that only those are looked for that surely are, as
# base64 is after 60 characters or more
_SHORTEST_WRAPPED = 12
_SHORTEST_WRAPPED_FORM = 32
# What a cut through a character leaves of it
_BROKEN = "\ufffd"
_LONGEST_REST = 7
_REST = frozenset("0123456789abcdefABCDEFuUxX#&%=;")


class Masker:
    """Masks the given values; those of fewer than 6 characters are ignored. All methods take linear time."""

    def __init__(self, values: Iterable[str]) -> None:
        values = [value for value in values if len(value) >= SHORTEST]
        forms = {needle for value in values for needle in needles(value)}
        kept = {needle for value in values for needle in plain(value)}
        wrapped = _unwrapped(forms, _SHORTEST_WRAPPED_FORM) | _unwrapped(kept, _SHORTEST_WRAPPED)
        self._written = Search(sorted(forms))
        self._wrapped = Search(sorted(wrapped))
        self._read = Search(sorted(kept))
        # A line may have been broken at a space as well
        self._joints = ("", " ") if any(" " in value for value in values) else ("",)
        self._numbers = {number for value in values for number in _numbers(value)}

    def text(self, text: str) -> str:
        return _masked(text, self._spans(text))

    def cut_text(self, head: str, tail: str) -> tuple[str, str]:
        """Masks what is left and right of a cut, and the part of a secret (4 characters or more) at its border."""
        left = _masked(head, [*self._spans(head), *self._cut_spans(head, at_end=True)])
        right = _masked(tail, [*self._spans(tail), *self._cut_spans(tail, at_end=False)])
        return left, right

    def data(self, value: Any) -> Any:
        """Masks the keys and values of JSON. What lies deeper than 100 levels becomes the mask.

        An object of another kind is replaced by its masked ``repr`` where that holds a secret.
        """
        return self._data(value, depth=0) if self._written.found else value

    def _data(self, value: Any, *, depth: int) -> Any:
        if depth > DEEPEST:
            return MASK
        match value:
            case str():
                return self.text(value)
            case None | bool() | logging.LogRecord():
                return value
            case int() | float():
                return self._number(value)
            case Mapping():
                return {
                    self._data(key, depth=depth + 1): self._data(each, depth=depth + 1) for key, each in value.items()
                }
            case list():
                return [self._data(each, depth=depth + 1) for each in value]
            case tuple():
                return tuple(self._data(each, depth=depth + 1) for each in value)
            case _:
                shown = repr(value)
                masked = self.text(shown)
                return value if masked == shown else masked

    def _number(self, number: float) -> float | str:
        written = repr(number) if isinstance(number, int) else f"{number!r} {number:f}"
        return MASK if number in self._numbers or self.text(written) != written else number

    def _spans(self, text: str) -> list[Span]:
        if len(text) < SHORTEST or not self._written.found:
            return []
        return [span for view, search in self._views(text) for span in view.spans(search)]

    def _cut_spans(self, text: str, *, at_end: bool) -> list[Span]:
        if not self._written.found:
            return []
        found = (view.border(search, text, at_end=at_end) for view, search in self._views(text))
        return [span for span in found if any(span)]

    def _views(self, text: str) -> "Iterator[tuple[_View, Search]]":
        """Every way to take the text, with what is looked for in it."""
        yield _View(text, None), self._written
        for reading in readings(text):
            yield _View(reading.text, reading), self._read
            yield from self._unwrapped(reading.text, reading)
        yield from self._unwrapped(text, None)

    def _unwrapped(self, text: str, reading: Reading | None) -> "Iterator[tuple[_View, Search]]":
        for joint in self._joints:
            if wrapped := unwrapped(text, joint=joint, below=reading):
                yield _View(wrapped.text, wrapped), self._wrapped


active: ContextVar[Masker | None] = ContextVar("active", default=None)
"""The masker of the check that runs in this thread."""


@contextmanager
def applied(masker: Masker) -> Iterator[None]:
    """What this thread logs meanwhile is masked."""
    token = active.set(masker)
    try:
        yield
    finally:
        active.reset(token)


def log_processor(_logger: Any, _name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Masks a whole log event. Its place is the last before the renderer: exceptions are text by then."""
    masker = active.get()
    if masker is not None:
        event_dict.update({key: masker.data(value) for key, value in event_dict.items()})
    return event_dict


@dataclass(frozen=True)
class _View:
    text: str
    reading: Reading | None

    def spans(self, search: Search) -> Iterator[Span]:
        found = search.spans(self.text)
        return map(self.reading.original, found) if self.reading else found

    def border(self, search: Search, whole: str, *, at_end: bool) -> Span:
        """A half of an escape, which a cut may have left, is passed over."""
        for dropped in range(_LONGEST_REST if self.reading else 1):
            kept = len(self.text) - dropped
            rest = self.text[kept:] if at_end else self.text[:dropped]
            if kept < SHORTEST_CUT or not _REST.issuperset(rest):
                break
            start, end = _border(self.text[:kept] if at_end else self.text[dropped:], search.found, at_end=at_end)
            if start == end:
                continue
            if self.reading is None:
                return start, end
            start, end = self.reading.original((start, end) if at_end else (dropped + start, dropped + end))
            return (start, len(whole)) if at_end else (0, end)
        return 0, 0


def _unwrapped(found: Iterable[str], shortest: int) -> set[str]:
    joined = (LINE_BREAK.sub("", needle).strip(" \t") for needle in found)
    return {needle for needle in joined if len(needle) >= shortest}


def _masked(text: str, spans: Iterable[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end in _merged(spans):
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]]) if pieces else text


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that overlap or touch, as one."""
    current: Span = (0, 0)
    for start, end in sorted(spans):
        if start > current[1]:
            if any(current):
                yield current
            current = (start, end)
        else:
            current = (current[0], max(current[1], end))
    if any(current):
        yield current


def _border(text: str, found: Iterable[str], *, at_end: bool) -> Span:
    """Where the end of a text is the beginning of a needle, or its beginning the end of one."""
    core = text.rstrip(_BROKEN) if at_end else text.lstrip(_BROKEN)[::-1]
    edge = core[-SHORTEST_CUT:]
    ordered = (needle if at_end else needle[::-1] for needle in found)
    longest = max((_overlap(core, needle) for needle in ordered if edge in needle), default=0)
    if longest < SHORTEST_CUT:
        return (0, 0)
    return (len(core) - longest, len(text)) if at_end else (0, len(text) - len(core) + longest)


def _overlap(text: str, needle: str) -> int:
    """The length of the longest beginning of the needle that the text ends with (Knuth, Morris, Pratt)."""
    prefixes = beginnings(needle)
    length = 0
    for character in text[-len(needle) :]:
        if length == len(needle):
            length = prefixes[length - 1]
        while length and needle[length] != character:
            length = prefixes[length - 1]
        length += needle[length] == character
    return length


def _numbers(value: str) -> Iterator[float]:
    """The number that a value is when it is read as JSON."""
    for read in (int, float):
        try:
            number = read(value)
        except (ValueError, OverflowError):
            continue
        if len(repr(number)) >= SHORTEST:
            yield number
