"""Reads the environment, and the ``.env`` of ``TECKO_HOME``, into typed values.

A value that cannot be read is kept as a fault: settings then hold the default, and the system check
``teckochecker.E001`` reports every fault with its remedy before anything starts.
"""

import difflib
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import environ

T = TypeVar("T")
LOGIN = re.compile("//.*@")  # in a URL

PREFIX = "TECKO_"
# Read elsewhere than in the settings: the folder itself, a test's wish, and what the examples' calls use
OTHERS = frozenset({"TECKO_HOME", "TECKO_CRASH_AT", "TECKO_TOKEN"})
ALIKE = 0.85  # how much of a name outside TECKO_… has to be that of a setting

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
        self._asked: set[str] = set()

    def unknown(self) -> list[Fault]:
        """Of the names that nothing has asked for until now: those that are spelt like a setting."""
        known = self._asked | OTHERS
        named = {name: f"{self.home / '.env'}" for name in self._file if _is_meant(name, known)}
        named |= {name: "the environment" for name in os.environ if name.startswith(PREFIX)}
        return [_misspelt(name, place, known) for name, place in sorted(named.items()) if name not in known]

    def text(self, name: str, default: str = "") -> str:
        self._asked.add(name)
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


def _is_meant(name: str, known: Collection[str]) -> bool:
    return name.startswith(PREFIX) or bool(difflib.get_close_matches(name, known, n=1, cutoff=ALIKE))


def _misspelt(name: str, place: str, known: Collection[str]) -> Fault:
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f"Write {nearest[0]} if that is meant, or take" if nearest else "Take"
    return Fault(
        name, f"There is no setting {name}, which is in {place}.", f"{meant} it out. docs/operations.md has all."
    )


def home_folder(base: Path) -> Path:
    return Path(os.environ.get("TECKO_HOME", "").strip() or base / "var").expanduser().resolve()


def host_ca_bundle() -> str:
    return next((str(path) for path in HOST_CA_BUNDLES if path.is_file()), "")
