"""Finds the objects that stand by themselves in a script's output: those that begin a line and are part of no other.

One pass over brackets, strings and lines. What is JSON and what only looks like it is not known before the end, so
brackets are matched wherever they are, in text as well. A pair of them holds all that is between; one that is never
closed holds what follows only where everything up to the end could go on to be JSON.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_DEPTH = 1000
STATUSES = frozenset({'"SUCCESS"', '"FAILED"', '"PENDING"', '"ERROR"'})

_TOKEN = re.compile(
    r"""("[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+")  # 1: a string
    | ("[^\r\n]*+)                                   # 2: a quote without its partner hides the rest of its line
    | ([\r\n]+)                                      # 3: the end of a line
    | ([{}\[\],:])                                   # 4
    | ([^\s\ufeff"{}\[\],:][^\r\n"{}\[\],:]*+)       # 5: a number, a literal, or text""",
    re.VERBOSE,
)
_STRING, _HALF, _LINE, _MARK, _WORD = range(1, 6)
_LITERAL = re.compile(r"(?:true|false|null|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*+")

# What may follow what in JSON, by what a bracket expects next; "value" is any of them
_NEXT = {
    ("{", "string"): ":",
    ("key", "string"): ":",
    (":", ":"): "value",
    ("value", "string"): "}",
    ("value", "value"): "}",
    ("}", ","): "key",
    ("[", "string"): "]",
    ("[", "value"): "]",
    ("item", "string"): "]",
    ("item", "value"): "]",
    ("]", ","): "item",
}
_CLOSED_BY = {"{": "}", "[": "]"}
_OPENED_BY = {"}": "{", "]": "["}


@dataclass(slots=True)
class AnswerObject:
    """An object that stands by itself, as places in a text.

    ``end`` is -1 where it is never closed; ``followed`` where text follows on its last line.

    ``claims``: its own ``status`` is one of the four words.
    """

    start: int
    end: int = -1
    followed: bool = False
    claims: bool = False
    _last: str = ""
    _key: str = ""

    def see(self, part: str) -> None:
        if part == ":":
            self._key = self._last
        elif (self._key, self._last) == ('"status"', ":") and part in STATUSES:
            self.claims = True
        self._last = part


@dataclass(slots=True)
class _Bracket:
    mark: str
    start: int
    expects: str
    object: AnswerObject | None


@dataclass(slots=True)
class _Scan:
    cut: bool
    found: list[AnswerObject] = field(default_factory=list)
    open: list[_Bracket] = field(default_factory=list)
    deeper: int = 0  # brackets that are open below MAX_DEPTH, where no verdict can be
    waiting: dict[str, int] = field(default_factory=lambda: {"{": 0, "[": 0})
    error: int = -1  # where the last thing stands that no JSON has there

    def opens(self, mark: str, start: int, *, at_start: bool) -> None:
        if len(self.open) == MAX_DEPTH and self.open[0].start < self.error:
            self._forget_text()
        if self.deeper or len(self.open) == MAX_DEPTH:
            self.deeper += 1
            return
        self.follows("value", start)
        answer = AnswerObject(start) if at_start and mark == "{" else None
        if answer:
            self.found.append(answer)
        self.open.append(_Bracket(mark, start, mark, answer))
        self.waiting[mark] += 1

    def closes(self, mark: str, start: int, *, at_start: bool) -> AnswerObject | None:
        """The object that ends here. Where nothing had opened, what came before was part of something after all."""
        if self.deeper:
            self.deeper -= 1
            return None
        wanted = _OPENED_BY[mark]
        if not self.waiting[wanted]:
            self.error = start
            if at_start or self.cut:
                self.found.clear()
            return None
        bracket = self._matching(wanted, start)
        while self.found and self.found[-1].start > bracket.start:
            self.found.pop()
        if bracket.expects not in (mark, wanted):
            self.error = start
        if bracket.object:
            bracket.object.end = start + 1
        return bracket.object

    def _matching(self, wanted: str, start: int) -> _Bracket:
        while True:
            bracket = self.open.pop()
            self.waiting[bracket.mark] -= 1
            if bracket.mark == wanted:
                return bracket
            self.error = start

    def _forget_text(self) -> None:
        """What is open and no JSON, such as a thousand lines of a log with half a bracket in each."""
        self.open = [bracket for bracket in self.open if bracket.start >= self.error]
        self.waiting = {mark: sum(bracket.mark == mark for bracket in self.open) for mark in self.waiting}

    def follows(self, kind: str, start: int, token: str = "") -> None:
        if self.deeper or not self.open:
            return
        bracket = self.open[-1]
        following = _NEXT.get((bracket.expects, kind))
        if following is None:
            self.error = start
        else:
            bracket.expects = following
        if bracket.object:
            bracket.object.see(token)

    def end(self) -> None:
        """All that is still open was closed nowhere."""
        for bracket in self.open:
            if bracket.start >= self.error:
                self.found = [answer for answer in self.found if answer.start <= bracket.start]
                return


def objects(text: str, *, cut: bool = False) -> list[AnswerObject]:
    """In their order, as places in ``text``. ``cut``: it begins somewhere within an output.

    Takes time in proportion to the text, whatever it is.
    """
    scan, ended, at_start = _Scan(cut), None, True
    for kind, token, start in _tokens(text):
        if kind == _LINE:
            ended, at_start = None, True
            continue
        if ended:
            ended.followed, ended = True, None
        if token in _CLOSED_BY:
            scan.opens(token, start, at_start=at_start)
        elif token in _OPENED_BY:
            ended = scan.closes(token, start, at_start=at_start)
        else:
            scan.follows(_kind(kind, token, last=start + len(token) == len(text)), start, token)
        at_start = False
    scan.end()
    return scan.found


def _tokens(text: str) -> Iterator[tuple[int, str, int]]:
    for match in _TOKEN.finditer(text):
        yield match.lastindex or 0, match.group(), match.start()


def _kind(kind: int, token: str, *, last: bool) -> str:
    """In the words of _NEXT. Whatever stands ``last`` may have been cut."""
    if kind == _STRING or (kind == _HALF and last):
        return "string"
    if kind == _MARK:
        return token
    return "value" if kind == _WORD and (last or _LITERAL.fullmatch(token)) else "text"
