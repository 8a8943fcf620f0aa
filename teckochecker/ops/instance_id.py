"""The id of an instance: made once for a home folder on a machine, and kept in the folder.

It names the instance's containers, network, queue and lease, so that no two may have the same. A copy of the folder and
a machine that was cloned with a new machine id get ids of their own; the original keeps its.
"""

import fcntl
import json
import os
import secrets
from pathlib import Path

FILE = "instance.json"
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def instance_id(home: Path, *, machine: str | None = None) -> str:
    """10 hexadecimal digits."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = f"{machine_id() if machine is None else machine} {home.stat().st_ino}"
    return _known(home).get(mark) or _made(home, mark)


def machine_id() -> str:
    """Empty where the machine has none, as most containers."""
    return next((path.read_text().strip() for path in MACHINE_IDS if path.is_file()), "")


def _known(home: Path) -> dict[str, str]:
    """Ids by the machine and folder that they were made for."""
    try:
        return dict(json.loads((home / FILE).read_text()))
    except FileNotFoundError:
        return {}


def _made(home: Path, mark: str) -> str:
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # another process may be at the same
        known = _known(home)
        if mark not in known:
            known[mark] = secrets.token_hex(5)
            _replace(home / FILE, json.dumps(known, indent=1) + "\n")
        return known[mark]
    finally:
        os.close(folder)


def _replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)
