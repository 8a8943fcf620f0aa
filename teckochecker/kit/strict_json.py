"""JSON as both databases can store it: no NaN, no doubled keys, bounded depth and numbers, storable texts."""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 32
MAX_DIGITS = 30


class NotStrict(ValueError):
    """The message says what is wrong and is safe to show."""


def loads(text: str) -> Any:
    """Raises NotStrict. NUL and lone surrogates, which PostgreSQL refuses, become U+FFFD."""
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_int=_whole,
            parse_float=_fraction,
            object_pairs_hook=_without_doubles,
        )
    except json.JSONDecodeError as error:
        raise NotStrict(f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise _too_deep() from None
    return _storable(value, depth=0)


def size(value: Any) -> int:
    """Bytes of the value as compact UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def storable(text: str) -> str:
    if "\0" not in text and text.isascii():
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _storable(value: Any, *, depth: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if not isinstance(value, dict | list):
        return value
    if depth >= MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return {key: _storable(inner, depth=depth + 1) for key, inner in value.items()}
    return [_storable(inner, depth=depth + 1) for inner in value]


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {storable(key): value for key, value in pairs}
    if len(found) < len(pairs):
        raise NotStrict("a key stands in one object twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is not JSON")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise NotStrict(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotStrict("a number is too large")
    return number


def _too_deep() -> NotStrict:
    return NotStrict(f"it is nested deeper than {MAX_DEPTH} levels")
