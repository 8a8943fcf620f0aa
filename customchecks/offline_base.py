"""Base images without a registry: Debian from the mirror that this machine's apt uses, Node from npm packages."""

import os
import platform
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from customchecks.engine import Engine, EngineError, NotFound

REPOSITORY = "teckochecker/base"
RECIPE = "1"  # part of every image's recipe: raise it when what is made here changes
SUITE = "bookworm"  # its python3 is 3.11
INCLUDE = ("ca-certificates", "python3")
NODE_MAJOR, NPM_MAJOR = 20, 10
NODE_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
PHASES = (
    "Retrieving Packages",
    "Extracting ",
    "Installing core packages",
    "Unpacking the base",
    "Configuring the base",
)
TAIL_LINES = 15

# Bulk that no script needs; and whatever tells of the machine that built the image
LEFT_OUT = (
    *("./dev/*", "./proc/*", "./sys/*", "./tmp/*", "./run/*"),
    *("./etc/apt/sources.list", "./etc/hostname", "./etc/resolv.conf", "./var/log/*"),
    *("./var/cache/apt/*", "./var/cache/debconf/*", "./var/lib/apt/lists/*"),
    *(f"./usr/share/{name}/*" for name in ("bash-completion", "doc", "info", "lintian", "locale", "man")),
    # Installs go where uv is told to put them; the official images have no such marker either
    "./usr/lib/python3*/EXTERNALLY-MANAGED",
)


class NoBase(EngineError):
    """No base image can be had; the message names the remedy."""


class OfflineBase:
    """``folder`` holds what is unpacked meanwhile, about 400 MB, and is gone afterwards."""

    def __init__(
        self, engine: Engine, *, folder: Path, npm_environ: Mapping[str, str], progress: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._npm_environ = npm_environ
        self._progress = progress

    def find(self, runtime: str) -> str | None:
        """The image's reference, where it is there already."""
        reference = f"{REPOSITORY}:{_tag(runtime)}"
        try:
            self._engine.image(reference)
        except NotFound:
            return None
        return reference

    def make(self, runtime: str) -> str:
        """Returns the reference; Node's base stands on the Debian one, whether that is new or was there."""
        return self._node() if runtime == "node" else self._debian()

    def _debian(self) -> str:
        _need_debootstrap(self._progress)
        mirror = find_mirror()
        self._progress(f"Debian {SUITE} from {urlsplit(mirror).hostname or mirror}")
        with _scratch(self._folder) as folder:
            root = folder / "root"
            self._debootstrap(root, mirror, folder)
            (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            _run(["find", root, "-xdev", "-perm", "/6000", "!", "-type", "l", "-exec", "chmod", "a-s", "{}", "+"])
            self._progress("Importing the base image")
            self._import(root)
        return f"{REPOSITORY}:{_tag('python')}"

    def _debootstrap(self, root: Path, mirror: str, folder: Path) -> None:
        argv = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", SUITE, str(root), mirror]
        phases = list(PHASES)
        with subprocess.Popen(
            [*_namespaces(), *argv],
            env={**os.environ, **_wget_environ(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            lines: list[str] = []
            for line in process.stdout or ():
                lines = [*lines[1 - TAIL_LINES :], line]
                text = line.removeprefix("I: ").strip()
                if phases and text.startswith(phases[0]):
                    self._progress(text)
                    phases.pop(0)
        if process.returncode:
            raise NoBase(f"debootstrap failed:\n{''.join(lines)}{_other_ways('python')}")

    def _import(self, root: Path) -> None:
        excludes = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        argv = ["tar", "--create", "--numeric-owner", "--one-file-system", "--anchored", *excludes, "-C", root, "."]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            if process.stdout is not None:
                self._engine.import_image(process.stdout, repository=REPOSITORY, tag=_tag("python"), changes=[])
        if process.returncode:
            self._engine.remove_image(f"{REPOSITORY}:{_tag('python')}")
            raise NoBase(f"tar ended with code {process.returncode}.")

    def _node(self) -> str:
        debian = self.find("python") or self._debian()
        reference = f"{REPOSITORY}:{_tag('node')}"
        self._progress(f"Node {NODE_MAJOR} and npm {NPM_MAJOR} from npm packages")
        with _scratch(self._folder) as folder, tempfile.TemporaryFile(dir=folder) as context:
            node, npm = self._npm_pack(folder)
            with tarfile.open(fileobj=context, mode="w") as tar:
                _add_text(tar, "Dockerfile", "ARG BASE\nFROM ${BASE}\nCOPY usr /usr\n")
                _add_node(tar, node)
                _add_npm(tar, npm)
            context.seek(0)
            self._engine.build_image(
                context, tag=reference, arguments={"BASE": debian}, labels={}, progress=lambda _line: None
            )
        return reference

    def _npm_pack(self, folder: Path) -> tuple[Path, Path]:
        """npm compares each package with the registry's integrity hash."""
        if not shutil.which("npm"):
            raise NoBase(f"npm is missing; it fetches Node for the offline base. {_remedy('npm')}{_other_ways('node')}")
        machine = NODE_MACHINES.get(platform.machine())
        if machine is None:
            raise NoBase(f"There is no npm package of Node for {platform.machine()}. {_other_ways('node')}")
        packages = [f"node-linux-{machine}@{NODE_MAJOR}", f"npm@{NPM_MAJOR}"]
        _run(["npm", "pack", *packages, "--silent"], cwd=folder, environ=self._npm_environ)
        return next(folder.glob("node-*.tgz")), next(folder.glob("npm-*.tgz"))


def find_mirror() -> str:
    """The Debian archive of this machine's apt, which itself reads both formats of its sources. Raises NoBase."""
    try:
        listed = _run(["apt-get", "update", "--print-uris"])
    except NoBase as error:
        raise NoBase(f"The offline base needs a Debian machine: {error} {_other_ways('python')}") from error
    # Security and third-party archives have a suite with a dash, or no path that ends in "debian"
    found = re.findall(r"^'(\S+?)/*/dists/[a-z]+/main/binary-[^/]+/Packages", listed, re.MULTILINE)
    mirrors = [_first_of_list(uri) for uri in dict.fromkeys(found) if uri.endswith("/debian") or "mirror+file:" in uri]
    if not mirrors:
        raise NoBase(f"apt of this machine names no Debian archive. {_other_ways('python')}")
    return mirrors[0]


def _first_of_list(uri: str) -> str:
    """Debian's cloud images name a file with one mirror a line."""
    scheme, _, path = uri.partition(":")
    if scheme != "mirror+file":
        return uri
    lines = Path(path).read_text().split("\n")
    return next((line.split()[0].rstrip("/") for line in lines if line.strip() and not line.startswith("#")), uri)


def _need_debootstrap(progress: Callable[[str], None]) -> None:
    if os.geteuid() != 0:
        raise NoBase(
            "The offline base is built by root: sudo manage.py customcheck build-images --offline. "
            + _other_ways("python")
        )
    if shutil.which("debootstrap"):
        return
    progress("Installing debootstrap")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap"]
    environ = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        try:
            _run(install, environ=environ)
        except NoBase:
            # A fresh machine has no package lists yet
            _run(["apt-get", "update"], environ=environ)
            _run(install, environ=environ)
    except NoBase as error:
        raise NoBase(f"debootstrap is missing. {_remedy('debootstrap')}{_other_ways('python')}\n{error}") from error


def _namespaces() -> list[str]:
    """What debootstrap mounts and starts vanishes with it, where that can be had."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    try:
        _run([*argv, "true"])
    except NoBase:
        return []
    return argv


def _wget_environ(folder: Path) -> dict[str, str]:
    """debootstrap fetches with wget, which shall use apt's proxies and authorities."""
    settings = folder / "wgetrc"
    authorities = _apt_setting("Acquire::https::CaInfo")
    settings.write_text("tries = 3\ntimeout = 20\n" + (f"ca_certificate = {authorities}\n" if authorities else ""))
    proxies = {f"{scheme}_proxy": _apt_setting(f"Acquire::{scheme}::Proxy") for scheme in ("http", "https")}
    return {
        "WGETRC": str(settings),
        **{name: "" if proxy == "DIRECT" else proxy for name, proxy in proxies.items() if proxy},
    }


def _apt_setting(name: str) -> str:
    """``apt-config shell`` answers ``VALUE='…'``, or nothing."""
    return "".join(shlex.split(_run(["apt-config", "shell", "VALUE", name]))).removeprefix("VALUE=").strip()


def _add_node(tar: tarfile.TarFile, package: Path) -> None:
    with tarfile.open(package, mode="r|gz") as source:
        for member in source:
            if member.name == "package/bin/node":
                member.name, member.mode = "usr/local/bin/node", 0o755
                _add(tar, member, source)


def _add_npm(tar: tarfile.TarFile, package: Path) -> None:
    place = "lib/node_modules/npm"
    with tarfile.open(package, mode="r|gz") as source:
        for member in source:
            path = member.name.removeprefix("package/")
            if member.isfile() and not path.startswith(("docs/", "man/")):
                member.name, member.mode = f"usr/local/{place}/{path}", 0o755 if path.startswith("bin/") else 0o644
                _add(tar, member, source)
    for name in ("npm", "npx"):
        link = tarfile.TarInfo(f"usr/local/bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, f"../{place}/bin/{name}-cli.js"
        tar.addfile(link)


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, source: tarfile.TarFile) -> None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    tar.addfile(member, source.extractfile(member))


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        tar.addfile(member, file)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Empty at first, and gone afterwards; never follows a mount that an earlier, killed run left in it."""
    remove = ["rm", "-rf", "--one-file-system", folder]
    _run(remove)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _run(remove)


def _run(argv: Sequence[str | Path], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
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
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise NoBase(f"{shlex.join(words[:2])} ended with code {done.returncode}: {tail}")
    return done.stdout


def _tag(runtime: str) -> str:
    return f"{SUITE}-node-{NODE_MAJOR}-{RECIPE}" if runtime == "node" else f"{SUITE}-{RECIPE}"


def _remedy(package: str) -> str:
    return f"Remedy: sudo apt-get install -y --no-install-recommends {package}. "


def _other_ways(runtime: str) -> str:
    return f"Or name a base image that the engine can get in TECKO_{runtime.upper()}_BASE."
