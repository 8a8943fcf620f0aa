"""What the machine must offer, asked without side effects, before anything is made."""

import errno
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from teckochecker.setup import home as homes

# A machine sold as 2 GB reports a little less: the kernel keeps some
NEEDED_MEMORY = 1_900_000_000
NEEDED_DISK = 3_000_000_000
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Lack:
    """Something missing."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem} Remedy: {self.remedy}"


def lacks(*, home: Path, environ: Mapping[str, str], serving: bool) -> list[Lack]:
    """Everything that is missing; ``serving`` asks for the port too."""
    found = [*operating_system(sys.platform), *python_parts(), *memory(machine_memory()), *disk(home)]
    if serving:
        found += running(home) or address({**homes.read_env(home / ".env"), **environ})
    return found


def operating_system(platform: str) -> Iterator[Lack]:
    if platform != "linux":
        yield Lack(f"TeckoChecker runs on Linux, this is {platform}.", "use a Linux machine or virtual machine.")


def python_parts() -> Iterator[Lack]:
    if sys.version_info < (3, 11):  # noqa: UP036  somebody may call the module with an old Python
        yield Lack("Python 3.11 or newer is missing.", "apt-get install python3")
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        yield Lack("Python's venv module is incomplete.", "apt-get install python3-venv")


def machine_memory() -> int:
    """Bytes: the machine's, or this container's limit when that is lower."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (path.read_text().strip() for path in CGROUP_LIMITS if path.is_file())
    return min([total, *(int(limit) for limit in limits if limit.isdigit())])


def memory(available: int, *, needed: int = NEEDED_MEMORY) -> Iterator[Lack]:
    if available < needed:
        yield Lack(
            f"This machine has {available / 1e9:.1f} GB of memory, TeckoChecker needs 2 GB.",
            "give the machine more memory.",
        )


def disk(home: Path, *, needed: int = NEEDED_DISK) -> Iterator[Lack]:
    place = next(parent for parent in (home, *home.parents) if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Lack(
            f"TECKO_HOME is {home}, and {place} is no folder that may be written to.",
            "set TECKO_HOME to another folder.",
        )
        return
    free = shutil.disk_usage(place).free
    if free < needed:
        yield Lack(
            f"{place} has {free / 1e9:.1f} GB of free disk, TeckoChecker needs {needed / 1e9:.0f} GB.",
            "free some, or set TECKO_HOME to a folder on another disk.",
        )


def running(home: Path) -> list[Lack]:
    process = homes.running_server(home)
    if process is None:
        return []
    return [
        Lack(f"TeckoChecker already runs on {home} (process {process}).", f"kill {process}, or set another TECKO_HOME.")
    ]


def address(settings: Mapping[str, str]) -> list[Lack]:
    """The port that the server will listen on is a number, and free."""
    host = settings.get("TECKO_HOST", "").strip() or "127.0.0.1"
    word = settings.get("TECKO_PORT", "").strip() or "8000"
    if not word.isdigit() or not 1 <= int(word) <= 65535:
        return [Lack(f"TECKO_PORT is {word!r}.", "set it to a whole number from 1 to 65535.")]
    try:
        _bind(host, int(word))
    except OSError as error:
        return [unusable(host, int(word), error)]
    return []


def _bind(host: str, port: int) -> None:
    family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)


def unusable(host: str, port: int, error: OSError) -> Lack:
    if error.errno == errno.EADDRINUSE:
        return Lack(f"Port {port} on {host} is in use.", f"set TECKO_PORT to a free one, like {port % 65535 + 1}.")
    if error.errno == errno.EACCES:
        return Lack(f"Port {port} is for root only.", "set TECKO_PORT to 1024 or higher.")
    return Lack(
        f"TECKO_HOST is {host!r}, which is no address of this machine ({error.strerror}).",
        "set it to 127.0.0.1, 0.0.0.0 or an address of this machine.",
    )
