"""The line of a script's stderr that says what went wrong: of an exception its type and message, or else the last."""

import re

MAX_LENGTH = 300

COLOURS = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]*+(?:\x07|\x1b\\)|[@-Z\\^_])")
_TRACEBACK = "Traceback (most recent call last):"
_ERROR = re.compile(r"(?:Uncaught |FATAL )?[\w.$]*(?:Error|ERROR|Exception|Exit|Interrupt)\b")
_NOISE = re.compile(r"Node\.js v\d|npm notice|\W*+$")


def of(stderr: str) -> str:
    """Empty where there is none; at most 300 characters."""
    lines = [line.rstrip() for line in COLOURS.sub("", stderr).splitlines()]
    line = _of_traceback(lines) or _of_error(lines) or _of_any(lines)
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"


def _of_traceback(lines: list[str]) -> str:
    """A message of several lines begins behind the last frame."""
    if _TRACEBACK not in lines:
        return ""
    after = lines[len(lines) - lines[::-1].index(_TRACEBACK) :]
    return next((line for line in after if _says_something(line)), "")


def _of_error(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if _ERROR.match(line)), "")


def _of_any(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if _says_something(line)), "").strip()


def _says_something(line: str) -> bool:
    return line[:1] not in ("", " ", "\t") and not _NOISE.match(line)
