"""Finds very many needles in a text, without looking for each."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from secrets_app.masking.encodings import SHORTEST

Span = tuple[int, int]

_FEW = 1000
# Characters. Longer ones are so few that they can be looked for one by one
_LONG = 1000


class Search:
    """``found`` are the needles, sorted, each at least 6 characters long.

    A value of 64 kB of short lines has 60,000 needles: one by one, a check's data take 12 s instead of 0.1 s.
    """

    def __init__(self, found: list[str]) -> None:
        self.found = found

    def spans(self, text: str) -> Iterator[Span]:
        """Where needles are, together: spans overlap, and one within another may be left out."""
        if len(text) < SHORTEST:
            return
        if len(self.found) <= _FEW:
            yield from (span for needle in self.found for span in _occurrences(text, needle))
            return
        if len(text) > _LONG:
            likely = (needle for needle in self._long if len(needle) <= len(text) and needle[:SHORTEST] in text)
            yield from (span for needle in likely for span in _occurrences(text, needle))
        begins = self._short
        for place in range(len(text) - SHORTEST + 1):
            if text[place : place + SHORTEST] in begins:
                needle = self._longest_at(text, place)
                if needle:
                    yield place, place + len(needle)

    def _longest_at(self, text: str, place: int) -> str | None:
        """What sorts right before the text from here begins like it; if it is too long, one of its beginnings fits."""
        same = self._short[text[place : place + SHORTEST]]
        before = bisect_right(same, text[place : place + _LONG])
        needle = same[before - 1] if before else None
        while needle is not None and not text.startswith(needle, place):
            needle = self._shorter.get(needle)
        return needle

    @cached_property
    def _long(self) -> list[str]:
        return [needle for needle in self.found if len(needle) > _LONG]

    @cached_property
    def _short(self) -> dict[str, list[str]]:
        """By their first characters."""
        begins: defaultdict[str, list[str]] = defaultdict(list)
        for needle in self.found:
            if len(needle) <= _LONG:
                begins[needle[:SHORTEST]].append(needle)
        return dict(begins)

    @cached_property
    def _shorter(self) -> dict[str, str]:
        """The longest needle that a needle begins with, where there is one."""
        shorter: dict[str, str] = {}
        open_: list[str] = []
        for needle in self.found:
            while open_ and not needle.startswith(open_[-1]):
                open_.pop()
            if len(needle) <= _LONG:
                if open_:
                    shorter[needle] = open_[-1]
                open_.append(needle)
        return shorter


def beginnings(needle: str) -> list[int]:
    """For each place, the length of the longest proper beginning of the needle that ends there."""
    lengths = [0] * len(needle)
    length = 0
    for place in range(1, len(needle)):
        while length and needle[length] != needle[place]:
            length = lengths[length - 1]
        length += needle[length] == needle[place]
        lengths[place] = length
    return lengths


def _occurrences(text: str, needle: str) -> Iterator[Span]:
    """Overlapping ones too, as one span each run.

    Two occurrences are at least the needle's period apart, and runs of it are compared piece by piece, so that each
    search moves on by half a needle: linear, as ``str.find`` is.
    """
    start = text.find(needle)
    if start < 0:
        return
    period = len(needle) - beginnings(needle)[-1]
    repeated = needle[-period:]
    while start >= 0:
        end = start + len(needle)
        while text.startswith(repeated, end):
            end += period
        yield start, end
        start = text.find(needle, end - len(needle) + period)
