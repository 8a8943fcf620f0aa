"""Reads a script's answer from its stdout: the last line that is a JSON object with a status, never a guess.

A wrong answer is never replaced by an older one, and nothing of it is dropped without saying so in the message.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from customchecks import strictjson
from polling.results import Cause, CheckResult, Verdict

KB = 1024
MAX_LINE = 64 * KB  # characters, and how far back from the end lines are looked at
MAX_LINES = 200
MAX_DOCUMENT = 160 * KB
MAX_MESSAGE = 2000
MAX_DATA = 64 * KB  # bytes of compact JSON, as for state
MAX_STATE = 64 * KB

_EXAMPLE = '{"status": "PENDING", "message": "…", "data": {}}'
_HOW = f"Print one line such as {_EXAMPLE} as the last one."
_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANK = " \t\ufeff"


class _Bad(Exception):
    """The script's last word cannot be read as a verdict."""


Mask = Callable[[str], str]


def parse(stdout: str, *, exit_code: int | None, cut: bool = False, mask: Mask = str) -> CheckResult:
    """Never raises. ``exit_code`` None means unknown, which no SUCCESS survives.

    ``cut`` says that ``stdout`` is only the end of what was printed, and begins within a line. Data over 64 kB become
    ``{}`` and messages are cut at 2000 characters; the message then says so. Only the message is masked, before its
    cut: half a secret could not be found later.
    """
    try:
        answer = _last_answer(stdout, cut=cut)
        result = None if answer is None else _result(answer, mask)
    except _Bad as bad:
        return _error(Cause.BAD_VERDICT, f"The script's last line is not a verdict: {bad}. {_HOW}")
    return _judged(result, exit_code)


def _judged(result: CheckResult | None, exit_code: int | None) -> CheckResult:
    ended = "an unknown exit code" if exit_code is None else f"exit code {exit_code}"
    if result is None and exit_code == 0:
        return _error(Cause.NO_VERDICT, f"The script ended without a verdict. {_HOW}")
    if result is None:
        return _error(Cause.EXIT_NONZERO, f"The script ended with {ended} and without a verdict.")
    if result.verdict is Verdict.SUCCESS and exit_code != 0:
        message = _cut(f"The script printed SUCCESS but ended with {ended}. {result.message}".rstrip())
        # What the script wants remembered is not to be trusted either
        return replace(_error(Cause.EXIT_NONZERO, message), data=result.data)
    return result


def _last_answer(stdout: str, *, cut: bool) -> dict[str, Any] | None:
    """The whole document first: lines inside a pretty-printed object are parts of it, not verdicts."""
    document = stdout.strip(_BLANK + "\r\n")
    broken = None
    if not cut and _looks_like_one_object(document):
        try:
            return _object(document)
        except _Bad as bad:
            broken = bad
    for line in reversed(_last_lines(stdout, cut=cut)):
        if line.startswith("{") and line != "{":
            return _object(line)
    if broken:
        raise broken
    return None


def _looks_like_one_object(text: str) -> bool:
    """Over several lines: on one line it is what the rule of the last line is about."""
    over_lines = len(text) <= MAX_DOCUMENT and _LINE_END.search(text) is not None
    return over_lines and text.startswith("{") and text.endswith("}")


def _last_lines(stdout: str, *, cut: bool) -> list[str]:
    """The last lines that are not blank, whole ones only. Raises _Bad where the last of all is too long."""
    text = stdout.rstrip(_BLANK + "\r\n")
    lines = _LINE_END.split(text[-MAX_LINE - 1 :])
    if cut or len(text) > MAX_LINE:
        if len(lines) == 1 and text.endswith("}"):
            raise _Bad("it is longer than 64 kB")
        del lines[0]
    stripped = (line.strip(_BLANK) for line in lines)
    return [line for line in stripped if line][-MAX_LINES:]


def _object(text: str) -> dict[str, Any]:
    try:
        found = strictjson.loads(text)
    except strictjson.NotStrict as error:
        raise _Bad(str(error)) from None
    if not isinstance(found, dict):
        raise _Bad("it is not a JSON object")
    return found


def _result(answer: Mapping[str, Any], mask: Mask) -> CheckResult:
    status = answer.get("status")
    if not isinstance(status, str) or status not in set(Verdict):
        raise _Bad(f"its status is not one of {', '.join(Verdict)}")
    verdict = Verdict(status)
    data, note = _data(answer)
    return CheckResult(
        verdict=verdict,
        cause=Cause.SCRIPT if verdict is Verdict.ERROR else None,
        message=_message(answer, note, mask),
        data=data,
        state=_state(answer),
        progress=_optional(answer, "progress", _is_progress, "a number from 0 to 100"),
        next_check_in=_optional(answer, "next_check_in", _is_seconds, "a whole number of seconds above 0"),
    )


def _data(answer: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    data = _optional(answer, "data", _is_object, "an object") or {}
    size = strictjson.size(data)
    if size <= MAX_DATA:
        return data, ""
    return {}, f"[data left out: {size:,} bytes, at most {MAX_DATA:,}]"


def _message(answer: Mapping[str, Any], note: str, mask: Mask) -> str:
    message = mask(_optional(answer, "message", _is_text, "a string") or "")
    return f"{_cut(message, MAX_MESSAGE - len(note) - 1)} {note}".strip() if note else _cut(message)


def _state(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    state: dict[str, Any] | None = _optional(answer, "state", _is_object, "an object")
    if state is not None and strictjson.size(state) > MAX_STATE:
        raise _Bad("its state is larger than 64 kB")
    return state


def _optional(answer: Mapping[str, Any], key: str, fits: Callable[[Any], bool], kind: str) -> Any:
    if key in answer and not fits(answer[key]):
        raise _Bad(f"its {key} is not {kind}")
    return answer.get(key)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_progress(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _cut(message: str, limit: int = MAX_MESSAGE) -> str:
    if len(message) <= limit:
        return message
    note = f" [cut: {len(message):,} characters]"
    return message[: limit - len(note)] + note


def _error(cause: Cause, message: str) -> CheckResult:
    return CheckResult(verdict=Verdict.ERROR, cause=cause, message=message)
