"""Finds a Docker Engine that answers; else starts one; else installs one; else says how."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from teckochecker.setup import packages
from teckochecker.setup.progress import SetupFailed, quietly, say, stage

DEFAULT_SOCKET = "/var/run/docker.sock"
PACKAGES = ("docker.io", "iptables")
# A killed daemon leaves them, and its successor takes whatever process has that number now for a living one
PID_FILES = {"dockerd": Path("/var/run/docker.pid"), "containerd": Path("/var/run/docker/containerd/containerd.pid")}
START_SECONDS = 40.0
ANSWER_SECONDS = 5.0


class Answer(Enum):
    READY = "answers"
    FORBIDDEN = "refuses this user"
    FAILING = "answers with an error"
    SILENT = "does not answer"


def ask(environ: Mapping[str, str]) -> Answer:
    """Asks the engine that ``DOCKER_HOST``, or the default socket, names."""
    place = _place(environ)
    try:
        if place.scheme == "unix":
            return _ping(place.path)
        # With TLS or ssh only the client library can say more
        socket.create_connection((place.hostname or "", place.port or 2376), timeout=ANSWER_SECONDS).close()
    except PermissionError:
        return Answer.FORBIDDEN
    except (OSError, http.client.HTTPException):
        return Answer.SILENT
    return Answer.READY


def socket_path(environ: Mapping[str, str]) -> str:
    """Of an engine on this machine."""
    return _place(environ).path


def _place(environ: Mapping[str, str]) -> SplitResult:
    return urlsplit(environ.get("DOCKER_HOST", "").strip() or f"unix://{DEFAULT_SOCKET}")


def _ping(path: str) -> Answer:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(ANSWER_SECONDS)
        stream.connect(path)
        connection = http.client.HTTPConnection("docker")
        connection.sock = stream
        connection.request("GET", "/_ping")
        return Answer.READY if connection.getresponse().status == http.HTTPStatus.OK else Answer.FAILING


def ensure(*, home: Path, may_install: bool, environ: Mapping[str, str]) -> bool:
    """Whether an engine answers in the end. When none does, the remedy was printed and checks will say so."""
    with stage("Docker Engine") as remarks:
        answer = ask(environ)
        if answer is Answer.SILENT and os.geteuid() == 0 and not environ.get("DOCKER_HOST", "").strip():
            answer = _start_or_install(home, may_install=may_install, remarks=remarks)
        remarks.append(answer.value)
    if answer is not Answer.READY:
        say(f"  Checks will be marked “engine unavailable”. Remedy: {_remedy(answer, environ)}")
    return answer is Answer.READY


def _remedy(answer: Answer, environ: Mapping[str, str]) -> str:
    if answer is Answer.FORBIDDEN:
        return "sudo usermod -aG docker $USER, then log in again."
    if answer is Answer.FAILING:
        return "look at the engine's log: sudo journalctl -u docker"
    if environ.get("DOCKER_HOST", "").strip():
        return f"start the engine at DOCKER_HOST={environ['DOCKER_HOST']}, or unset it."
    if shutil.which("dockerd"):
        return "sudo systemctl start docker (or: sudo service docker start)"
    return f"sudo {packages.command(PACKAGES)}"


def _start_or_install(home: Path, *, may_install: bool, remarks: list[str]) -> Answer:
    if not shutil.which("dockerd"):
        if not (may_install and packages.can_install()):
            return Answer.SILENT
        try:
            packages.install(PACKAGES)
        except SetupFailed as error:
            remarks.append(str(error))
            return Answer.SILENT
        remarks.append("installed")
    for start in _starters(home):
        try:
            start()
        except SetupFailed:
            continue
        if _answers_within(START_SECONDS):
            remarks.append("started")
            return Answer.READY
    return Answer.SILENT


def _starters(home: Path) -> list[Callable[[], object]]:
    found: list[Callable[[], object]] = []
    if Path("/run/systemd/system").is_dir():
        return [lambda: quietly(["systemctl", "start", "docker"])]
    if shutil.which("service") and Path("/etc/init.d/docker").exists():
        found.append(lambda: quietly(["service", "docker", "start"]))
    return [*found, lambda: _daemon(home / "logs" / "dockerd.log")]


def _daemon(log: Path) -> None:
    """The daemon outlives us: its own session, and none of our files. It writes its own pid file."""
    for program, file in PID_FILES.items():
        remove_stale_pid(program, file)
    with log.open("ab") as output:
        subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )


def remove_stale_pid(program: str, file: Path) -> None:
    """Removes the file unless the process that it names runs the program."""
    try:
        name = Path("/proc", file.read_text().strip(), "comm").read_text().strip()
    except (OSError, ValueError):
        name = ""
    if name != program:
        with contextlib.suppress(OSError):
            file.unlink()


def _answers_within(seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ask({}) is Answer.READY:
            return True
        time.sleep(0.3)
    return False
