"""Reads a script's answer from its stdout: the last object that stands by itself and has a status, never a guess.

A wrong answer is never replaced by an older one, and nothing of it is dropped without saying so in the message.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from customchecks.checking import answer_objects, stderr_reason
from customchecks.checking.answer_objects import AnswerObject
from polling.base.results import Cause, CheckResult, Verdict
from teckochecker.kit import strict_json

KB = 1024
MAX_MESSAGE = 2000
MAX_DATA = 64 * KB  # bytes of compact JSON in UTF-8, as for state
MAX_STATE = 64 * KB
MAX_OUTPUT = 512 * KB  # how much of the end of an output is looked at, where it is longer

_EXAMPLE = '{"status": "PENDING", "message": "…", "data": {}}'
_HOW = f"Print one line such as {_EXAMPLE} as the last one."
_WORDS = ", ".join(Verdict)
_BLANK = " \t\ufeff\r\n"
_LONGEST_STATUS = 60
_NO_STATUS = object()
_LINE_END = re.compile(r"[\r\n]")
_STATUS = re.compile(r"""\bstatus['"]?\s*+:""")
_CLAIM = re.compile(r"""\bstatus['"]?\s*+:\s*+['"]?(?:success|failed|pending|error)\b""", re.IGNORECASE)
_HELD = (
    "Usually an open handle (a timer, a server, a pool of connections) or a thread that is no daemon keeps a process"
    " from ending: close it, or end with process.exit(0) or os._exit(0)."
)


class _BadVerdict(Exception):
    """The script's last word cannot be read as a verdict."""


Mask = Callable[[str], str]


def parse(stdout: str, *, exit_code: int | None, cut: bool = False, stderr: str = "", mask: Mask = str) -> CheckResult:
    """Never raises. ``exit_code`` None means unknown, which no SUCCESS survives.

    ``cut`` says that ``stdout`` is only the end of what was printed, and begins within a line. Data over 64 kB become
    ``{}`` and messages are cut at 2000 characters; the message then says so. ``stderr`` is masked already. Of
    ``stdout`` only what is cut for the message is masked, before its cut: half a secret could not be found later.
    """
    ended = _ProcessEnd(exit_code, stderr_reason.of(stderr))
    try:
        text = _whole_lines(stdout, cut=cut)
        found = _objects(text, cut=cut)
        answer = _last_answer(text, found)
        result = None if answer is None else _result(answer, mask)
    except _BadVerdict as bad:
        return _error(Cause.BAD_VERDICT, f"The script's verdict cannot be used: {bad}. {_HOW}{ended.said}")
    return ended.judged(result) if result else ended.without_verdict(text, _wrong(text, found, mask))


def unended(stdout: str, *, cut: bool = False) -> str:
    """What to say of a script that printed a verdict and did not end; empty where it printed none."""
    try:
        text = _whole_lines(stdout, cut=cut)
        answer = _last_answer(text, _objects(text, cut=cut))
    except _BadVerdict:
        return ""
    return f"It had printed {answer['status']}, which counts only when its process ends. {_HELD}" if answer else ""


@dataclass(frozen=True)
class _ProcessEnd:
    """How the process ended; ``words`` is the line of its stderr that says why."""

    exit_code: int | None
    words: str

    def __str__(self) -> str:
        ended = "an unknown exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        return f"{ended} ({self.words})" if self.words else ended

    @property
    def said(self) -> str:
        if self.exit_code != 0:
            return f" The script ended with {self}."
        return f" The last of its stderr: {self.words}" if self.words else ""

    def judged(self, result: CheckResult) -> CheckResult:
        if result.verdict is not Verdict.SUCCESS or self.exit_code == 0:
            return result
        message = _cut(f"The script printed SUCCESS but ended with {self}. {result.message}".rstrip())
        # What the script wants remembered is not to be trusted either
        return replace(_error(Cause.EXIT_NONZERO, message), data=result.data)

    def without_verdict(self, text: str, wrong: str) -> CheckResult:
        if self.exit_code != 0:
            return _error(Cause.EXIT_NONZERO, f"The script ended with {self} and without a verdict.")
        if wrong:
            return _error(Cause.BAD_VERDICT, f"What the script printed is no verdict: {wrong}. {_HOW}{self.said}")
        inside = " A status inside a larger document or behind other text is none." if _CLAIM.search(text) else ""
        return _error(Cause.NO_VERDICT, f"The script ended without a verdict.{inside} {_HOW}{self.said}")


def _whole_lines(stdout: str, *, cut: bool) -> str:
    """Without colours. Raises _BadVerdict where the one line that could be a verdict has no beginning."""
    text = stderr_reason.COLOURS.sub("", stdout).rstrip(_BLANK)
    if not cut:
        return text
    first = _LINE_END.search(text)
    if first is None and text.endswith("}"):
        raise _BadVerdict(f"its line is longer than {MAX_OUTPUT // KB} kB")
    return text[first.end() :] if first else ""


def _objects(text: str, *, cut: bool) -> list[AnswerObject]:
    return answer_objects.objects(text, cut=cut) if "status" in text else []


def _last_answer(text: str, found: list[AnswerObject]) -> dict[str, Any] | None:
    last = next((each for each in reversed(found) if each.claims), None)
    if last is None:
        return None
    if last.end < 0:
        raise _BadVerdict("its closing bracket is missing")
    if last.followed:
        raise _BadVerdict("other text follows on its last line")
    return _parsed_object(text[last.start : last.end])


def _wrong(text: str, found: list[AnswerObject], mask: Mask) -> str:
    """What is wrong with the last object that may have been meant as a verdict; empty where there is none."""
    return next((wrong for each in reversed(found) if (wrong := _wrong_with(_text_of(each, text), mask))), "")


def _text_of(each: AnswerObject, text: str) -> str:
    if each.end >= 0:
        return text[each.start : each.end]
    line = _LINE_END.search(text, each.start)
    return text[each.start : line.start() if line else len(text)]


def _wrong_with(printed: str, mask: Mask) -> str:
    if not _STATUS.search(printed):
        return ""
    try:
        status = _parsed_object(printed).get("status", _NO_STATUS)
    except _BadVerdict as bad:
        return f"{bad}; print json.dumps(…) or JSON.stringify(…) of it" if _CLAIM.search(printed) else ""
    return "" if status is _NO_STATUS else f"its status is {_shown(status, mask)}, not one of {_WORDS}"


def _shown(status: object, mask: Mask) -> str:
    shown = mask(json.dumps(status, ensure_ascii=False))
    return shown if len(shown) <= _LONGEST_STATUS else f"{shown[:_LONGEST_STATUS]}…"


def _parsed_object(text: str) -> dict[str, Any]:
    try:
        found = strict_json.loads(text)
    except strict_json.NotStrict as error:
        raise _BadVerdict(str(error)) from None
    if not isinstance(found, dict):
        raise _BadVerdict("it is not a JSON object")
    return found


def _result(answer: Mapping[str, Any], mask: Mask) -> CheckResult:
    status = answer.get("status")
    if not isinstance(status, str) or status not in set(Verdict):
        raise _BadVerdict(f"its status is not one of {_WORDS}")
    verdict = Verdict(status)
    data, note = _data(answer)
    return CheckResult(
        verdict=verdict,
        cause=Cause.SCRIPT if verdict is Verdict.ERROR else None,
        message=_message(answer, note, mask),
        data=data,
        state=_state(answer),
        progress=_optional(answer, "progress", _is_progress, "a number from 0 to 100"),
        next_check_in=_optional(answer, "next_check_in", _is_seconds, "a whole number of seconds"),
    )


def _data(answer: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    data = _optional(answer, "data", _is_object, "an object") or {}
    size = strict_json.size(data)
    if size <= MAX_DATA:
        return data, ""
    return {}, f"[data left out: {size:,} bytes, at most {MAX_DATA:,}]"


def _message(answer: Mapping[str, Any], note: str, mask: Mask) -> str:
    message = mask(_optional(answer, "message", _is_text, "a string") or "")
    return f"{_cut(message, MAX_MESSAGE - len(note) - 1)} {note}".strip() if note else _cut(message)


def _state(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    state: dict[str, Any] | None = _optional(answer, "state", _is_object, "an object")
    if state is not None and (size := strict_json.size(state)) > MAX_STATE:
        raise _BadVerdict(f"its state has {size:,} bytes, at most {MAX_STATE:,}")
    return state


def _optional(answer: Mapping[str, Any], key: str, fits: Callable[[Any], bool], kind: str) -> Any:
    """None where it is left out, or null."""
    value = answer.get(key)
    if value is not None and not fits(value):
        raise _BadVerdict(f"its {key} is not {kind}")
    return value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_progress(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _cut(message: str, limit: int = MAX_MESSAGE) -> str:
    if len(message) <= limit:
        return message
    note = f" [cut: {len(message):,} characters]"
    return message[: limit - len(note)] + note


def _error(cause: Cause, message: str) -> CheckResult:
    return CheckResult(verdict=Verdict.ERROR, cause=cause, message=message)
