"""A Debian root file system from the mirror that this machine's apt uses, by debootstrap."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from customchecks.docker.engine import EngineError

INCLUDE = ("ca-certificates", "python3")
PHASES = (
    "Retrieving Packages",
    "Extracting ",
    "Installing core packages",
    "Unpacking the base",
    "Configuring the base",
)
MAX_TAIL_LINES = 15
SCRIPTS = Path("/usr/share/debootstrap/scripts")
ANY_SUITE = "sid"  # for suites that are younger than this machine's debootstrap
OTHER_WAY = "Or name base images that the engine can get in TECKO_PYTHON_BASE and TECKO_NODE_BASE."

Progress = Callable[[str], None]


class NoBase(EngineError):
    """No base image can be had; the message names the remedy."""


def bootstrap(root: Path, suite: str, *, progress: Progress) -> None:
    """Makes ``root``, without setuid files; settings for its time go next to it. Raises NoBase."""
    _need_debootstrap(progress)
    mirror = find_mirror()
    progress(f"Debian {suite} from {urlsplit(mirror).hostname or mirror}")
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", suite, str(root), mirror]
    if not (SCRIPTS / suite).exists():
        argv.append(str(SCRIPTS / ANY_SUITE))
    environ = {**os.environ, "LC_ALL": "C", **_wget_environ(root.with_name("wgetrc"))}
    _follow([*_namespaces(), *argv], environ=environ, progress=progress)
    run(["find", root, "-xdev", "-perm", "/6000", "!", "-type", "l", "-exec", "chmod", "a-s", "{}", "+"])


def find_mirror() -> str:
    """The Debian archive of this machine's apt, which itself reads both formats of its sources. Raises NoBase."""
    try:
        listed = run(["apt-get", "update", "--print-uris"])
    except NoBase as error:
        raise NoBase(f"The offline base needs a Debian machine: {error} {OTHER_WAY}") from error
    # The security archive's suite has a dash; other people's archives are at other paths
    found = re.findall(r"^'(\S+?)/*/dists/[a-z]+/main/binary-[^/]+/Packages", listed, re.MULTILINE)
    mirrors = [_first_of_list(uri) for uri in found if uri.endswith("/debian") or uri.startswith("mirror+file:")]
    if not mirrors:
        raise NoBase(f"apt of this machine names no Debian archive. {OTHER_WAY}")
    return mirrors[0]


def _first_of_list(uri: str) -> str:
    """Debian's cloud images name a file with one mirror a line."""
    scheme, _, path = uri.partition(":")
    if scheme != "mirror+file":
        return uri
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise NoBase(f"apt's list of mirrors cannot be read: {error}. {OTHER_WAY}") from error
    mirrors = [line.split()[0].rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
    if not mirrors:
        raise NoBase(f"apt's list of mirrors {path} is empty. {OTHER_WAY}")
    return mirrors[0]


def _need_debootstrap(progress: Progress) -> None:
    if os.geteuid() != 0:
        command = f"sudo --preserve-env=TECKO_HOME {sys.executable} manage.py customcheck build-images --offline"
        raise NoBase(f"Only root can make the offline base. Remedy: {command}. {OTHER_WAY}")
    need("debootstrap", progress=progress)


def need(program: str, *, progress: Progress) -> None:
    """Installs the package of this name where the program is missing. Raises NoBase."""
    if shutil.which(program):
        return
    progress(f"Installing {program}")
    try:
        _install(program)
    except NoBase as error:
        raise NoBase(f"{program} is missing. {remedy(program)} {OTHER_WAY}\n{error}") from error


def _install(package: str) -> None:
    words = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    environ = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(words, environ=environ)
    except NoBase:
        # A fresh machine has no package lists yet
        run(["apt-get", "update"], environ=environ)
        run(words, environ=environ)


def remedy(package: str) -> str:
    return f"Remedy: sudo apt-get install -y --no-install-recommends {package}."


def _namespaces() -> list[str]:
    """What debootstrap mounts and starts vanishes with it, where that can be had."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    try:
        run([*argv, "true"])
    except NoBase:
        return []
    return argv


def _wget_environ(settings: Path) -> dict[str, str]:
    """debootstrap fetches with wget, which shall use apt's proxies and authorities, and give up in time."""
    authorities = _apt_setting("Acquire::https::CaInfo")
    settings.write_text("tries = 3\ntimeout = 20\n" + (f"ca_certificate = {authorities}\n" if authorities else ""))
    proxies = {f"{scheme}_proxy": _apt_setting(f"Acquire::{scheme}::Proxy") for scheme in ("http", "https")}
    return {
        "WGETRC": str(settings),
        **{name: "" if proxy == "DIRECT" else proxy for name, proxy in proxies.items() if proxy},
    }


def _apt_setting(name: str) -> str:
    """``apt-config shell`` answers ``VALUE='…'``, or nothing."""
    return "".join(shlex.split(run(["apt-config", "shell", "VALUE", name]))).removeprefix("VALUE=")


def _follow(argv: Sequence[str], *, environ: Mapping[str, str], progress: Progress) -> None:
    with subprocess.Popen(
        argv,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            tail = _report(process.stdout or (), progress)
        except BaseException:
            # The first process of a namespace ignores Ctrl-C
            process.kill()
            raise
    if process.returncode:
        raise NoBase(f"debootstrap ended with code {process.returncode}:\n{tail}\n{OTHER_WAY}")


def _report(lines: Iterable[str], progress: Progress) -> str:
    """Returns the last lines."""
    phases = iter(PHASES)
    phase = next(phases)
    tail: deque[str] = deque(maxlen=MAX_TAIL_LINES)
    for line in lines:
        tail.append(line)
        text = line.removeprefix("I: ").strip()
        if phase and text.startswith(phase):
            progress(text)
            phase = next(phases, "")
    return "".join(tail)


def run(argv: Sequence[str | Path], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Returns the output. Raises NoBase with its end."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise NoBase(f"{words[0]} is missing.") from error
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-MAX_TAIL_LINES:])
        raise NoBase(f"{shlex.join(words[:2])} ended with code {done.returncode}: {tail}")
    return done.stdout
