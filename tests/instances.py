"""Instances of the suite's own, and what is left of them on the engine when a run was killed.

Each makes a network, and an engine has room for some thirty. So every run first removes what dead ones have left.
"""

import secrets
import tempfile
from pathlib import Path

import psutil

from customchecks.sandbox.sandbox import Sandbox

_RECORDS = Path(tempfile.gettempdir()) / "teckochecker-test-instances"


def new() -> str:
    return record(secrets.token_hex(5))


def record(instance: str, *, folder: Path = _RECORDS) -> str:
    """This process, and whoever started it, answers for the instance as long as it lives."""
    folder.mkdir(exist_ok=True)
    process = psutil.Process()
    (folder / f"{instance}.{process.pid}.{process.create_time():.0f}").touch()
    return instance


def dismantle(instance: str) -> None:
    sandbox = Sandbox(instance=instance)
    sandbox.dismantle()
    sandbox.close()


def dismantle_dead(*, folder: Path = _RECORDS) -> list[str]:
    """Their containers, volumes, networks and packet rules; returns the instances."""
    records = list(folder.glob("*.*.*"))
    living = {path.name.partition(".")[0] for path in records if _lives(path)}
    dead = sorted({path.name.partition(".")[0] for path in records} - living)
    for instance in dead:
        dismantle(instance)
    for path in records:
        if not _lives(path):
            path.unlink(missing_ok=True)
    return dead


def _lives(path: Path) -> bool:
    _, pid, started = path.name.split(".")
    try:
        return f"{psutil.Process(int(pid)).create_time():.0f}" == started
    except psutil.NoSuchProcess:
        return False
