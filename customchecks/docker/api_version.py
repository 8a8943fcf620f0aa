"""Which version of its API is spoken with an engine: the oldest that both know, so that answers differ least.

The history of the API is in moby's ``api/docs/CHANGELOG.md``. Nothing that we ask for or look at has changed up to
NEWEST; engines were tried up to 1.51, which is Engine 28.5.
"""

import re
from collections.abc import Mapping
from typing import Any

from customchecks.docker.errors import EngineMismatch

Version = tuple[int, int]

OLDEST: Version = (1, 41)  # Engine 20.10
NEWEST: Version = (1, 56)
UPDATE_ENGINE = "Update Docker Engine to 20.10 or newer."
UPDATE_US = "Update TeckoChecker, or let the engine speak an older version: DOCKER_MIN_API_VERSION in its environment."
_REFUSAL = re.compile(r"client version [\d.]+ is too (?:old|new)")


def choose(answer: object) -> str:
    """``answer`` is the engine's to ``GET /version``. Raises EngineMismatch."""
    told = answer if isinstance(answer, dict) else {}
    name = f"Docker Engine {told.get('Version') or 'of an unknown version'}"
    newest, oldest = _parsed(told, "ApiVersion"), _parsed(told, "MinAPIVersion")
    if newest < OLDEST:
        raise EngineMismatch(
            f"{name} is too old: it speaks its API up to version {text(newest)}, and {text(OLDEST)} is needed.",
            remedy=UPDATE_ENGINE,
        )
    if oldest > NEWEST:
        raise EngineMismatch(
            f"{name} is too new: it speaks its API from version {text(oldest)} on, and only {text(NEWEST)} is known.",
            remedy=UPDATE_US,
        )
    return text(max(OLDEST, oldest))


def is_refusal(message: str) -> bool:
    """Whether an engine says that it does not speak our version, as one that was exchanged meanwhile does."""
    return _REFUSAL.search(message) is not None


def text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _parsed(told: Mapping[str, Any], field: str) -> Version:
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", str(told.get(field)))
    if found is None:
        raise EngineMismatch(
            f"What answers is no Docker Engine: it tells no {field}.",
            remedy="Look at DOCKER_HOST: it names the engine.",
        )
    return int(found[1]), int(found[2])
