"""The folder that holds everything of one instance, its generated keys, and the lock on it."""

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
ENV_HEADER = "# Written once by script/server. Keep a copy: without TECKO_KEYS the stored secrets are lost.\n"


class AlreadyRunning(Exception):
    """Another server holds the folder; the message names its process."""


def folder(environ: Mapping[str, str], *, default: Path = BASE_DIR / "var") -> Path:
    return Path(environ.get("TECKO_HOME", "").strip() or default).expanduser().resolve()


def ensure(home: Path, environ: Mapping[str, str]) -> list[str]:
    """Makes the folder (0700) and its ``.env`` (0600); returns what it did. Never changes a line that is there."""
    done = []
    if not home.is_dir():
        home.mkdir(mode=0o700, parents=True)
        done.append("folder made")
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    env_file = home / ".env"
    try:
        os.close(os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        header = ""
    else:
        header = ENV_HEADER
    missing = [name for name in generated_keys() if name not in {**read_env(env_file), **environ}]
    if header or missing:
        _append(env_file, header, {name: generated_keys()[name] for name in missing})
        done.append(f"wrote {', '.join(missing)} to .env" if missing else "made .env")
    return done


def generated_keys() -> dict[str, str]:
    return {
        "TECKO_SECRET_KEY": secrets.token_urlsafe(64),
        "TECKO_KEYS": f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }


def read_env(env_file: Path) -> dict[str, str]:
    """The lines ``NAME=value``; the first of a name counts, as in the settings."""
    found: dict[str, str] = {}
    if not env_file.is_file():
        return found
    for line in env_file.read_text(errors="replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found.setdefault(name.strip(), value.strip().strip("'\""))
    return found


@contextmanager
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
