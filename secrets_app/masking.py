"""Replaces secrets, in every form that ``needles`` knows, by a mask.

Not found, on purpose and by a test: what a script turned round, compressed, cut in parts or enciphered itself.
"""

import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from secrets_app.needles import LINE_BREAK, SHORTEST, needles
from secrets_app.search import Search, Span, beginnings

MASK = "***"
DEEPEST = 100
SHORTEST_CUT = 4

# base64 and the like break their lines after 60 characters or more; shorter needles stay on one line
_SHORTEST_WRAPPED = 32
# What a cut through a character leaves of it
_BROKEN = "\ufffd"


class Masker:
    """Masks the given values; those of fewer than 6 characters are ignored. All methods take linear time."""

    def __init__(self, values: Iterable[str]) -> None:
        values = [value for value in values if len(value) >= SHORTEST]
        found = {needle for value in values for needle in needles(value)}
        self._needles = sorted(found)
        unwrapped = {LINE_BREAK.sub("", needle).strip(" \t") for needle in found}
        self._wrapped = sorted(needle for needle in unwrapped if len(needle) >= _SHORTEST_WRAPPED)
        self._search = Search(self._needles)
        self._search_wrapped = Search(self._wrapped)
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
        return self._data(value, depth=0) if self._needles else value

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
        spans = list(self._search.spans(text))
        if self._wrapped and len(text) >= SHORTEST and LINE_BREAK.search(text):
            view = _Unwrapped.of(text)
            spans += [view.original(span) for span in self._search_wrapped.spans(view.text)]
        return spans

    def _cut_spans(self, text: str, *, at_end: bool) -> list[Span]:
        view = _Unwrapped.of(text)
        spans = [_border(text, self._needles, at_end=at_end)]
        spans += [view.original(span) for span in [_border(view.text, self._wrapped, at_end=at_end)] if any(span)]
        return spans


active: ContextVar[Masker | None] = ContextVar("active", default=None)
"""The masker of the check that runs in this thread."""


def log_processor(_logger: Any, _name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Masks a whole log event. Its place is the last before the renderer: exceptions are text by then."""
    masker = active.get()
    if masker is not None:
        event_dict.update({key: masker.data(value) for key, value in event_dict.items()})
    return event_dict


@dataclass(frozen=True)
class _Unwrapped:
    """A text without its line breaks. ``starts`` are the places of its pieces, ``shifts`` what was left out."""

    text: str
    starts: list[int]
    shifts: list[int]

    @classmethod
    def of(cls, text: str) -> "_Unwrapped":
        breaks = [found.span() for found in LINE_BREAK.finditer(text)]
        shifts = [0, *accumulate(end - start for start, end in breaks)]
        starts = [0, *(end - shift for (_, end), shift in zip(breaks, shifts[1:], strict=True))]
        return cls(LINE_BREAK.sub("", text), starts, shifts)

    def original(self, span: Span) -> Span:
        return self._place(span[0]), self._place(span[1] - 1) + 1

    def _place(self, position: int) -> int:
        return position + self.shifts[bisect_right(self.starts, position) - 1]


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
