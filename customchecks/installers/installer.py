"""Runs inside the install container, as ``python3 -c``: the steps of a plan, under a cap on what they put on the disk.

The plan is JSON in the first argument. What the steps print goes to stderr; stdout gets one JSON object, with ``size``
in bytes, or with ``error``, a sentence.

Packages that are built from source run their own code here, as the same user. So this process is not dumpable: nobody
else can look into its memory, environment or files. An index's password is known here only: the steps ask a proxy on
loopback, which adds it.
"""

# ruff: noqa: T201

import base64
import ctypes
import http.client
import json
import os
import posixpath
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

VOLUME = "/deps"
CACHE = f"{VOLUME}/.cache"
BUILD = f"{VOLUME}/.build"
INDEXES = "TECKO_INDEXES"  # JSON: the variables that name an index to the steps
LOOK_SECONDS = 0.25
UNSEEN = 1024**3  # what others may write meanwhile; beyond it files without a name may be the reason
CHUNK = 64 * 1024
PR_SET_DUMPABLE = 4
EVERYBODY = -1  # but this process and the launcher


class Failed(Exception):
    """The installation cannot go on; the message is a sentence."""


def main() -> None:
    hide()
    plan = json.loads(sys.argv[1])
    lock = Path(plan["folder"], "pylock.toml")
    for proxy in open_proxies(json.loads(os.environ.pop(INDEXES, "{}"))):
        if lock.is_file():  # it names its files by their addresses
            lock.write_bytes(proxy.without_origin(lock.read_bytes()))
    try:
        print(json.dumps({"size": carry_out(plan, DiskWatch(plan["limit"]))}))
    except Failed as error:
        print(json.dumps({"error": str(error)}))
        sys.exit(1)


def hide() -> None:
    """Gives our /proc entry to root."""
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise SystemExit("prctl is refused")


def carry_out(plan: dict[str, Any], watch: "DiskWatch") -> int:
    """Returns the size in bytes."""
    folder = Path.cwd()
    if plan["hoist"]:  # what is installed beside the manifest has to be on the volume from the start
        folder = shutil.copytree(folder, Path(BUILD))
    folder /= plan["folder"]
    for step in plan["steps"]:
        if code := watch.run(step, folder):
            raise Failed(f"{step[0]} ended with exit code {code}.")
    signal_all(signal.SIGKILL)  # what a build has left behind
    if plan["hoist"]:
        hoist(folder / plan["hoist"], above=plan["folder"])
    if plan["compile"]:
        # By our own interpreter: that of the packages would run their .pth files. What has errors stays as it is
        watch.run([sys.executable, "-I", "-S", "-m", "compileall", "-q", "-q", plan["compile"]], folder)
    shutil.rmtree(CACHE, ignore_errors=True)
    shutil.rmtree(BUILD, ignore_errors=True)
    size = used(VOLUME)
    watch.check(size)
    subprocess.run(["sync", "--file-system", VOLUME], check=True)
    return size


class DiskWatch:
    """Ends what puts more than ``limit`` bytes on the volume.

    The file system tells by how much it has grown; where that is too much, all others stop and the volume is measured.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.before = on_disk()

    def grown(self) -> int:
        return max(now - before for now, before in zip(on_disk(), self.before, strict=True))

    def run(self, step: list[str], folder: Path) -> int:
        """The exit code."""
        process = subprocess.Popen(step, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_SECONDS)
            try:
                self.look()
            except Failed:
                signal_all(signal.SIGKILL)
                raise

    def look(self) -> None:
        if self.grown() <= self.limit:
            return
        signal_all(signal.SIGSTOP)
        size = used(VOLUME)
        self.check(size)
        if self.grown() - size > self.limit + UNSEEN:
            raise Failed("The engine's disk fills up while they are installed.")
        signal_all(signal.SIGCONT)

    def check(self, size: int) -> None:
        if size > self.limit:
            raise Failed(
                f"They need more than {self.limit // 1024 // 1024} MB, which is the most that one set may take."
            )


def on_disk() -> tuple[int, int]:
    """Bytes that are used of the volume's file system, by anybody: by its blocks, and by how many files there are."""
    found = os.statvfs(VOLUME)
    return (found.f_blocks - found.f_bfree) * found.f_frsize, (found.f_files - found.f_ffree) * 4096


def signal_all(number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(EVERYBODY, number)


def hoist(folder: Path, *, above: str) -> None:
    """The volume itself becomes the folder: it is mounted at the top of the script, whichever folder was above it."""
    if not folder.is_dir():
        return
    for entry in [*folder.iterdir(), *folder.glob("@*/*")]:
        if entry.is_symlink() and (target := os.path.relpath(entry.resolve(), folder)).startswith(".."):
            up = "../" * len(entry.relative_to(folder).parts)
            entry.unlink()
            entry.symlink_to(up + os.path.normpath(f"{above or '.'}/{target.removeprefix('../')}"))
    for entry in list(folder.iterdir()):
        entry.rename(Path(VOLUME, entry.name))


def used(folder: str) -> int:
    """Bytes on the disk; every entry counts as a block at least, and what has two names counts once.

    Nothing can be hidden from its owner, which we are: folders that nobody may list are opened first.
    """
    sizes = {}
    waiting = [folder]
    while waiting:
        for name, found in entries(waiting.pop()):
            sizes[found.st_ino] = max(found.st_blocks * 512, 4096)
            if stat.S_ISDIR(found.st_mode):
                waiting.append(name)
    return sum(sizes.values())


def entries(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            os.chmod(folder, 0o700)  # noqa: PTH101
        with os.scandir(folder) as found:
            names = [entry.path for entry in found]
    except FileNotFoundError:
        return
    except OSError as error:
        raise Failed(f"They hold a folder that cannot be measured: {error.strerror}.") from error
    for name in names:
        with suppress(FileNotFoundError):
            yield name, os.lstat(name)


def open_proxies(indexes: dict[str, str]) -> "list[IndexProxy]":
    """The steps find each index in their environment: itself, or the proxy to one that wants a password."""
    proxies = {variable: IndexProxy(url) for variable, url in indexes.items() if "@" in urlsplit(url).netloc}
    os.environ.update(indexes | {variable: proxy.url for variable, proxy in proxies.items()})
    return list(proxies.values())


class IndexProxy:
    """An index without its password, on loopback: reads below the index's path, and of its host packages only."""

    FILES = (".whl", ".metadata", ".tar.gz", ".tgz", ".zip", ".tar.bz2")
    PAGES = ("text/html", "application/json", "application/vnd.")
    ASKED = ("Accept", "Range", "If-None-Match", "If-Modified-Since", "User-Agent", "npm-session", "npm-command")
    TOLD = ("Content-Type", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified", "Cache-Control")
    SECONDS = 60

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        word = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self.authorization = f"Basic {base64.b64encode(word.encode()).decode()}"
        self.origin = f"{parts.scheme}://{place}"
        self.https = parts.scheme == "https"
        self.place, self.path = place, parts.path
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.serve(self)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.own = f"http://127.0.0.1:{self.server.server_port}"
        self.url = f"{self.own}{parts.path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def may(self, target: str) -> bool:
        path = unquote(urlsplit(target).path)
        if ".." in path.split("/") or posixpath.normpath(path) != path.rstrip("/"):
            return False
        return f"{path}/".startswith(f"{self.path.rstrip('/')}/") or path.endswith(self.FILES)

    def serve(self, asked: BaseHTTPRequestHandler) -> None:
        if not self.may(asked.path):
            asked.send_error(403)
            return
        kind = http.client.HTTPSConnection if self.https else http.client.HTTPConnection
        connection = kind(self.place, timeout=self.SECONDS)
        try:
            headers = {name: asked.headers[name] for name in self.ASKED if name in asked.headers}
            headers |= {"Authorization": self.authorization, "Accept-Encoding": "identity"}
            connection.request(asked.command, asked.path, headers=headers)
            self.answer(asked, connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            asked.close_connection = True
            print(f"error: the package index {self.place}: {error}", file=sys.stderr)
            with suppress(OSError):
                asked.send_error(502)
        finally:
            connection.close()

    def answer(self, asked: BaseHTTPRequestHandler, found: http.client.HTTPResponse) -> None:
        body: bytes | None = None
        if asked.command == "GET" and (found.headers.get_content_type().startswith(self.PAGES)):
            body = self.without_origin(found.read())
        length = found.headers.get("Content-Length") if body is None else f"{len(body)}"
        asked.send_response(found.status)
        for name in self.TOLD:
            if name in found.headers:
                asked.send_header(name, found.headers[name])
        if location := found.headers.get("Location"):
            asked.send_header("Location", self.without_origin(location.encode()).decode())
        if length is None and found.status not in (204, 304):
            asked.close_connection = True
            asked.send_header("Connection", "close")
        elif length is not None:
            asked.send_header("Content-Length", length)
        asked.end_headers()
        if asked.command == "GET":
            copy(body, found, asked.wfile)

    def without_origin(self, text: bytes) -> bytes:
        """What the index says of its own host is asked through us."""
        return text.replace(f"{self.origin}/".encode(), f"{self.own}/".encode())


def copy(body: bytes | None, found: http.client.HTTPResponse, to: BufferedIOBase) -> None:
    if body is not None:
        to.write(body)
        return
    while chunk := found.read(CHUNK):
        to.write(chunk)


if __name__ == "__main__":
    main()
