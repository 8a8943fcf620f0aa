"""Programs from npm packages, as files of an image below ``usr/local``."""

import platform
import tarfile
from pathlib import Path

from django.conf import settings

from customchecks.images.debian import OTHER_WAY, NoBase, Progress, need, run
from customchecks.images.runtimes import NpmPackage
from customchecks.installers.package_managers import NPM

MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def fetch(package: NpmPackage, folder: Path, *, progress: Progress) -> Path:
    """The newest of its version, which npm has compared with the registry's hash. Raises NoBase."""
    need("npm", progress=progress)
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise NoBase(f"There is no npm package of {package.name} for {platform.machine()}. {OTHER_WAY}")
    environ = {NPM.index_variable: NPM.index, "npm_config_cafile": str(settings.TECKO_CA_BUNDLE)}
    place = folder / package.name.replace("/", "-")
    place.mkdir()
    words = ["npm", "pack", f"{package.name.format(machine=machine)}@{package.version}"]
    run(words, cwd=place, environ={name: value for name, value in environ.items() if value})
    return next(place.glob("*.tgz"))


def add(tar: tarfile.TarFile, package: NpmPackage, file: Path) -> None:
    """Its files, root's, and its links in ``bin``."""
    with tarfile.open(file, mode="r|gz") as source:
        for member in source:
            name = member.name.removeprefix("package/")
            if member.isfile() and package.has(name):
                content = source.extractfile(member)
                tar.addfile(_header(package.place(name), size=member.size, program=package.is_program(name)), content)
    for name, target in package.links.items():
        link = tarfile.TarInfo(f"usr/local/bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, f"../{package.place(target)}"
        tar.addfile(link)


def _header(place: str, *, size: int, program: bool) -> tarfile.TarInfo:
    header = tarfile.TarInfo(f"usr/local/{place}")
    header.size, header.mode = size, 0o755 if program else 0o644
    return header
