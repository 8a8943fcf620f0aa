"""Node and npm from their npm packages, as files of an image."""

import platform
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from customchecks.images.debian import OTHER_WAY, NoBase, Progress, need, run

MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
NPM_PLACE = "lib/node_modules/npm"
NPM_LEFT_OUT = ("docs/", "man/")


def fetch(folder: Path, *, node: int, npm: int, environ: Mapping[str, str], progress: Progress) -> tuple[Path, Path]:
    """The newest packages of these versions, which npm has compared with the registry's hashes. Raises NoBase."""
    need("npm", progress=progress)
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise NoBase(f"There is no npm package of Node for {platform.machine()}. {OTHER_WAY}")
    run(["npm", "pack", f"node-linux-{machine}@{node}", f"npm@{npm}"], cwd=folder, environ=environ)
    return next(folder.glob("node-*.tgz")), next(folder.glob("npm-*.tgz"))


def add(tar: tarfile.TarFile, *, node: Path, npm: Path) -> None:
    """Puts both below ``usr/local``."""
    for source, member in _members(node):
        if member.name == "bin/node":
            _add(tar, "bin/node", member, source)
    for source, member in _members(npm):
        if not member.name.startswith(NPM_LEFT_OUT):
            _add(tar, f"{NPM_PLACE}/{member.name}", member, source)
    for name in ("npm", "npx"):
        link = tarfile.TarInfo(f"usr/local/bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, f"../{NPM_PLACE}/bin/{name}-cli.js"
        tar.addfile(link)


def _members(package: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    with tarfile.open(package, mode="r|gz") as source:
        for member in source:
            if member.isfile():
                member.name = member.name.removeprefix("package/")
                yield source, member


def _add(tar: tarfile.TarFile, place: str, member: tarfile.TarInfo, source: tarfile.TarFile) -> None:
    member.mode = 0o755 if member.name.startswith("bin/") else 0o644
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    content = source.extractfile(member)
    member.name = f"usr/local/{place}"
    tar.addfile(member, content)
