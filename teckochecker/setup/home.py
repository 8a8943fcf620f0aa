"""The folder that holds everything of one instance, its generated keys, and the lock on it."""

import base64
import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from teckochecker.setup import privacy

BASE_DIR = Path(__file__).resolve().parent.parent.parent
ENV_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=(.*)$", re.ASCII | re.MULTILINE)
ENV_HEADER = "# Written once by script/server. Keep a copy: without TECKO_KEYS the stored secrets are lost.\n"


class AlreadyRunning(Exception):
    """Another server holds the folder; the message names its process."""


def folder(environ: Mapping[str, str], *, default: Path = BASE_DIR / "var") -> Path:
    return Path(environ.get("TECKO_HOME", "").strip() or default).expanduser().resolve()


def ensure(home: Path, environ: Mapping[str, str]) -> list[str]:
    """Makes the folder and its ``.env``, private both; returns what it did. Never changes a line that is there."""
    done = []
    with contextlib.suppress(FileExistsError):
        home.mkdir(mode=0o700, parents=True)
        done.append("folder made")
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    with alone(home):
        return done + _complete_env(home / ".env", environ) + privacy.mend(home)


def _complete_env(env_file: Path, environ: Mapping[str, str]) -> list[str]:
    try:
        os.close(os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        header = ""
    else:
        header = ENV_HEADER
    missing = [name for name in generated_keys() if name not in {**read_env(env_file), **environ}]
    if header or missing:
        _append(env_file, header, {name: generated_keys()[name] for name in missing})
    return [f"wrote {', '.join(missing)} to .env"] if missing else []


def generated_keys() -> dict[str, str]:
    return {
        "TECKO_SECRET_KEY": secrets.token_urlsafe(64),
        "TECKO_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }


def read_env(env_file: Path) -> dict[str, str]:
    return parse_env(env_file.read_text(errors="replace")) if env_file.is_file() else {}


def parse_env(text: str) -> dict[str, str]:
    """The lines ``NAME=value``; the first of a name counts, as in the settings."""
    found: dict[str, str] = {}
    for name, value in ENV_LINE.findall(text):
        found.setdefault(name, value.strip().strip("'\""))
    return found


@contextlib.contextmanager
def server_lock(home: Path) -> Iterator[None]:
    """Held as long as a server runs on the folder; raises AlreadyRunning."""
    with (home / "server.lock").open("a+") as file:
        if not _locked(file.fileno()):
            raise AlreadyRunning(f"TeckoChecker already runs on {home} (process {_holder(home)}).")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def running_server(home: Path) -> str | None:
    """The process id of the server that holds the folder, without touching anything."""
    try:
        file = (home / "server.lock").open("r+")
    except OSError:
        return None
    with file:
        return None if _locked(file.fileno()) else _holder(home)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits for others that set the same folder up."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(home: Path) -> str:
    return (home / "server.lock").read_text().strip() or "unknown"


def _append(env_file: Path, header: str, lines: Mapping[str, str]) -> None:
    before = env_file.read_bytes()
    newline = "" if not before or before.endswith(b"\n") else "\n"
    with env_file.open("a") as file:
        file.write(newline + header + "".join(f"{name}={value}\n" for name, value in lines.items()))
