"""With which settings a running server started, so that others can tell when ``.env`` has changed since.

Kept beside ``.env`` are digests of its lines with a salt of their own, and the names that the server's environment said
otherwise: a change of those in ``.env`` changes nothing.
"""

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from teckochecker.setup import home as homes

NAME = "server.settings"


@dataclass(frozen=True)
class Older:
    """``process`` started ``at`` (Unix time) with other values of ``names``."""

    process: str
    at: float
    names: tuple[str, ...]


def record(home: Path, environ: Mapping[str, str]) -> None:
    salt = secrets.token_hex(16)
    values = homes.read_env(home / ".env")
    known = {name: _digest(salt, value) for name, value in values.items() if not environ.get(name)}
    text = json.dumps({"salt": salt, "at": time.time(), "digests": known, "overridden": sorted(set(environ))})
    with open(home / NAME, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(text)


def compare(home: Path) -> Older | None:
    """None where no server runs, or with the settings of today."""
    process = homes.running_server(home)
    try:
        kept = json.loads((home / NAME).read_text())
    except (OSError, ValueError):
        return None
    values = homes.read_env(home / ".env")
    now = {name: _digest(kept["salt"], value) for name, value in values.items() if name not in kept["overridden"]}
    then = kept["digests"]
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    return Older(process, kept["at"], tuple(changed)) if process and changed else None


def _digest(salt: str, value: str) -> str:
    return hashlib.sha256(f"{salt}{value}".encode()).hexdigest()
