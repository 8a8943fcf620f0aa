"""The grammar of templates in webhook query values: ``{name(.name)*}`` anywhere in a value, and nothing else in braces.

Values come out of the payload's dictionaries by key only: no attributes, indexes, conversions or formats.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

ROOTS = frozenset(
    {
        "job_id",
        "job_name",
        "status",
        "check_status",
        "message",
        "check_message",
        "data",
        "check_data",
        "timestamp",
        "execution_time_ms",
        "delivery_id",
        "cause",
        "script_version",
    }
)
MAX_TEMPLATE = 2048
MAX_PLACEHOLDERS = 20
MAX_RENDERED = 2048

_NAME = r"(?!__)[A-Za-z_][A-Za-z0-9_-]{0,63}"
_PLACEHOLDER = re.compile(rf"\{{({_NAME}(?:\.{_NAME}){{0,9}})\}}")


class TemplateError(ValueError):
    """The message is safe to show."""


def check(value: str, *, roots: frozenset[str] = ROOTS) -> None:
    """Raises TemplateError; keys below ``data`` are unknown at this time and not looked at."""
    for path in _compile(value)[1::2]:
        root = path.partition(".")[0]
        if root not in roots:
            raise TemplateError(f"{{{path}}} is unknown; a template starts with one of: {', '.join(sorted(roots))}.")


def render(value: str, payload: Mapping[str, Any], *, longest: int = MAX_RENDERED) -> str:
    """Keeps 0 and false, turns unknown names and null into nothing, objects and lists into JSON.

    Templates may say ``{status}``, ``{data.x}`` and ``{message}`` for the payload's ``check_…``. Cut at ``longest``
    characters, the last one then being an ellipsis. Raises TemplateError.
    """
    parts = _compile(value)
    named = {name.removeprefix("check_"): found for name, found in payload.items()} | dict(payload)
    parts[1::2] = [_text(_look_up(path, named)) for path in parts[1::2]]
    rendered = "".join(parts)
    return rendered if len(rendered) <= longest else f"{rendered[: longest - 1]}…"


def _compile(value: str) -> list[str]:
    """Literal text at even places, dotted paths at odd ones."""
    if len(value) > MAX_TEMPLATE:
        raise TemplateError(f"A template has at most {MAX_TEMPLATE} characters.")
    parts = _PLACEHOLDER.split(value)
    if len(parts) // 2 > MAX_PLACEHOLDERS:
        raise TemplateError(f"A template has at most {MAX_PLACEHOLDERS} placeholders.")
    if any("{" in literal or "}" in literal for literal in parts[::2]):
        raise TemplateError("Braces hold a name or a dotted path, such as {job_id} or {data.batch_id}.")
    return parts


def _look_up(path: str, payload: Mapping[str, Any]) -> Any:
    found: Any = payload
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
