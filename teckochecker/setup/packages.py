"""Debian packages that a step needs, installed where we are root and apt is there."""

import ctypes.util
import os
import shutil
from collections.abc import Iterable

from teckochecker.setup.progress import SetupFailed, quietly, say, stage


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def ensure(programs: Iterable[tuple[str, str]]) -> None:
    """``programs`` pairs a command, or a library (``lib…``), with the package that brings it.

    What cannot be installed is only said.
    """
    missing = sorted({package for program, package in programs if not _is_there(program)})
    if not missing:
        return
    if not can_install():
        say(f"  Missing: {', '.join(missing)}. Remedy: sudo {command(missing)}")
        return
    with stage(f"Debian packages {' '.join(missing)}"):
        install(missing)


def _is_there(program: str) -> bool:
    if program.startswith("lib"):
        return ctypes.util.find_library(program.removeprefix("lib")) is not None
    return shutil.which(program) is not None


def command(names: Iterable[str]) -> str:
    return f"apt-get install -y --no-install-recommends {' '.join(names)}"


def install(names: Iterable[str]) -> None:
    """Raises SetupFailed."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    words = command(names).split()
    try:
        quietly(words, env=environ)
    except SetupFailed:
        # A fresh machine has no package lists yet
        quietly(["apt-get", "update"], env=environ)
        quietly(words, env=environ)
