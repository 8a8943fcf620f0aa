"""An engine of its own in a network of its own, whose packet rules and faults are nobody else's.

``PrivateEngine`` starts a dockerd in new namespaces (network, processes, mounts), so that all of it ends with it.
Its network is this thread's, and that of all threads and processes that it starts, ``with engine.inside():``.
"""

import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Self

from customchecks.docker.engine import Engine
from customchecks.images import current
from teckochecker.setup import dockerd
from tests import absent

START_SECONDS = 60.0
DOCKER_GROUP = 4711  # whoever is in it may use the engine
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

# A containerd of the machine must not be found: two daemons would share its containers. What the engine stores is in
# memory, as removing it from a disk can take 10 s.
_BEGIN = """
import fcntl, os, socket, struct, subprocess, sys
for folder in ("/run/containerd", "/run/docker", sys.argv[1]):
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
with socket.socket() as any_socket:
    up = struct.pack("16sh", b"lo", 1)
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
os.execvp(sys.argv[2], sys.argv[2:])
"""


class PrivateEngine:
    """``options`` are dockerd's own, ``environ`` is added to its environment."""

    def __init__(self, *options: str, environ: Mapping[str, str] | None = None) -> None:
        self._options = options
        self._environ = {**os.environ, **(environ or {})}
        self._run = Path(tempfile.mkdtemp(prefix="tck-"))  # a socket's path is short
        self._run.chmod(0o711)
        self.group = DOCKER_GROUP
        self._data = self._run / "data"
        self.socket = self._run / "docker.sock"
        self.url = f"unix://{self.socket}"

    def __enter__(self) -> Self:
        unshare = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        place = ("--data-root", self._data, "--exec-root", self._run / "exec", "--pidfile", self._run / "pid")
        daemon = ("dockerd", *place, "--host", self.url, "--group", str(self.group))
        cgroups = ("--exec-opt", "native.cgroupdriver=cgroupfs")
        begin = (sys.executable, "-c", _BEGIN, str(self._data))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*unshare, *begin, *map(str, (*daemon, *cgroups)), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        return self._run / "log"

    @property
    def pid(self) -> int:
        """The daemon's, as this machine sees it."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0])

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Meanwhile ``DOCKER_HOST`` names this engine, too."""
        before = os.environ.get("DOCKER_HOST")
        with open(f"/proc/{self.pid}/ns/net") as there, open("/proc/thread-self/ns/net") as here:
            os.environ["DOCKER_HOST"] = self.url
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())
                if before is None:
                    del os.environ["DOCKER_HOST"]
                else:
                    os.environ["DOCKER_HOST"] = before

    def load(self, image: str) -> None:
        """Copies an image of the engine that the tests use."""
        with answered(dockerd.socket_path(os.environ), "GET", f"/images/{image}/get") as saved:
            self.ask("POST", "/images/load?quiet=1", iter(partial(saved.read, 1 << 20), b""))

    def ask(self, method: str, path: str, body: Iterable[bytes]) -> bytes:
        with answered(str(self.socket), method, path, body) as answer:
            return answer.read()

    def command(self, *words: str) -> str:
        """Runs a program of this machine in the engine's network; returns what it prints."""
        with self.inside():
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def stop(self) -> None:
        """With the first process of the namespaces the kernel ends all others; a daemon asked to stop takes 15 s."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._run, ignore_errors=True)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while dockerd.ask({"DOCKER_HOST": self.url}) is not dockerd.Answer.READY:
            if self._process.poll() is not None or time.monotonic() > until:
                absent.say(f"No engine can be started: {self.log.read_text()[-800:]}")
            time.sleep(0.1)


@contextlib.contextmanager
def answered(
    place: str, method: str, path: str, body: Iterable[bytes] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """An engine's answer, without Docker's command line, which not every machine has."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(place)
        connection = http.client.HTTPConnection("docker")
        connection.sock = stream
        kind = {"Content-Type": "application/json" if "load" not in path else "application/x-tar"}
        connection.request(method, path, body=body, headers=kind, encode_chunked=body is not None)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        yield answer


@contextlib.contextmanager
def started(*options: str, environ: Mapping[str, str] | None = None) -> Iterator[PrivateEngine]:
    """One with the runner image for Python, or the reason why there is none."""
    missing = [program for program in ("unshare", "dockerd") if not shutil.which(program)]
    if os.geteuid() != 0 or missing:
        absent.say(f"An engine of its own takes root{''.join(f' and {program}' for program in missing)}.")
    with PrivateEngine(*options, environ=environ) as engine:
        engine.load(_runner_image())
        yield engine


def _runner_image() -> str:
    engine = Engine()
    found = current.current("python", engine=engine)
    engine.close()
    return found or absent.say("There is no runner image for Python: manage.py customcheck build-images")


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
