"""A PostgreSQL server of the test's own: Debian's programs, a folder that is thrown away, a port on the loopback."""

import contextlib
import functools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import absent

DEBIAN = Path("/usr/lib/postgresql")
USER = "postgres"
MISSING = "There is no PostgreSQL: apt-get install postgresql"
# It lives for minutes, and no power is cut: what it saves in writing to the disk is half the time of a test
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")


def programs() -> Path | None:
    """The folder of the newest version's, which Debian puts into nobody's path."""
    found = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").is_file()]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@dataclass
class Server:
    folder: Path
    password: str
    port: int

    def start(self) -> None:
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        options += ["-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]
        self._run("pg_ctl", "-w", "-t", "60", "-l", self.folder / "log", "-o", " ".join(options), "start")

    def ensure(self) -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return
        self.start()

    def stop(self, *, mode: str = "fast") -> None:
        """``fast`` ends every connection, ``immediate`` is a crash."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def url(self, database: str) -> str:
        return f"postgres://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Its URL."""
        name = f"tecko_{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def make(self) -> None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.password)
            file.flush()
            shutil.chown(file.name, _account())
            words = ("-U", USER, "-A", "scram-sha-256", "--pwfile", file.name, "-E", "UTF8", "--locale", "C", "-N")
            self._run("initdb", *words)

    def _run(self, program: str, *words: str | Path) -> None:
        folder = programs()
        assert folder is not None
        argv = [folder / program, "-D", self.folder / "data", *words]
        done = subprocess.run(
            argv, cwd=self.folder, user=_account(), group=None, extra_groups=[] if _is_root() else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    if programs() is None:
        absent.say(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="tecko-postgresql-"))
    shutil.chown(folder, _account())
    server = Server(folder, secrets.token_hex(16), _free_port())
    try:
        server.make()
        server.start()
        yield server
    finally:
        with contextlib.suppress(AssertionError):  # a test may have left it stopped
            server.stop(mode="immediate")
        shutil.rmtree(folder)


def _is_root() -> bool:
    return os.geteuid() == 0


@functools.cache
def _account() -> int:
    """PostgreSQL does not run as root; Debian's package makes it a user."""
    if not _is_root():
        return os.geteuid()
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        return pwd.getpwnam("nobody").pw_uid


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
