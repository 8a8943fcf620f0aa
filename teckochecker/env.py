"""Reads the environment, and the ``.env`` of ``TECKO_HOME``, into typed values.

A value that cannot be read is kept as a fault: settings then hold the default, and the system check
``teckochecker.E001`` reports every fault with its remedy before anything starts.
"""

import hashlib
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import environ

T = TypeVar("T")
LOGIN = re.compile("//.*@")  # in a URL

HOST_CA_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/cert.pem"),
)


@dataclass(frozen=True)
class Fault:
    """A setting whose value cannot be used."""

    name: str
    problem: str
    remedy: str


class _EnvFile(environ.Env):
    """Reads into a dictionary of its own: what is in the environment, every process that we start would inherit."""

    @classmethod
    def values(cls, path: Path) -> dict[str, str]:
        cls.ENVIRON = {}  # type: ignore[assignment]
        if path.is_file():
            cls.read_env(path)
        return dict(cls.ENVIRON)


@dataclass
class Reader:
    """The process environment over the ``.env`` file; the first wins."""

    home: Path
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._file = _EnvFile.values(self.home / ".env")

    def text(self, name: str, default: str = "") -> str:
        return (os.environ.get(name) or self._file.get(name, "")).strip() or default

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A list separated by commas or white space."""
        return self.text(name).replace(",", " ").split() or list(default)

    def parsed(self, name: str, default: T, parse: Callable[[str], T], remedy: str) -> T:
        raw = self.text(name)
        if not raw:
            return default
        try:
            return parse(raw)
        except (ValueError, TypeError):
            self.faults.append(Fault(name, f"{name} is {LOGIN.sub('//***@', raw)!r}", remedy))
            return default

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        def parse(raw: str) -> int:
            value = int(raw)
            if not low <= value <= high:
                raise ValueError(raw)
            return value

        return self.parsed(name, default, parse, f"Use a whole number from {low} to {high}.")


def home_folder(base: Path) -> Path:
    return Path(os.environ.get("TECKO_HOME", "").strip() or base / "var").expanduser().resolve()


def instance_id(home: Path) -> str:
    """Names this instance's containers, network and queue: 10 hexadecimal digits of host name and home folder."""
    return hashlib.sha256(f"{socket.gethostname()}:{home}".encode()).hexdigest()[:10]


def host_ca_bundle() -> str:
    return next((str(path) for path in HOST_CA_BUNDLES if path.is_file()), "")
