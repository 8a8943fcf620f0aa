"""``requirements.txt``, ``pylock.toml``, and ``pyproject.toml`` with ``uv.lock``.

The format of requirement files is pip's ("Requirements File Format" in its documentation); of its options only those
are taken that neither change where packages come from nor what is executed.
"""

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from customchecks.archives import Archive
from customchecks.dependencies import manifests
from customchecks.dependencies.manifests import Manifest, ManifestRefused, shown

REQUIREMENTS, PROJECT, UV_LOCK, PYLOCK = "requirements.txt", "pyproject.toml", "uv.lock", "pylock.toml"
MAX_FILES = 20

_OPTION = re.compile(r"(--[a-z][a-z-]*|-[a-zA-Z])\s*=?\s*(.*)")
_CONSTRAINTS = ("-c", "--constraint")
_INCLUDE = ("-r", "--requirement", *_CONSTRAINTS)
_EDITABLE = ("-e", "--editable")
_HARMLESS = ("--require-hashes", "--pre", "--prefer-binary")
_ONLY_BINARY = re.compile(r":all:|[A-Za-z0-9][A-Za-z0-9._-]*(?:\s*,\s*[A-Za-z0-9][A-Za-z0-9._-]*)*")
_INDEX = ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host")
_COMMENT = re.compile(r"(^|\s)#.*")
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*(?:$|(?P<operator>[=<>!~;(@])(?P<rest>.*))")
_FILE_SUFFIXES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def find(archive: Archive, *, source_builds: bool) -> Manifest | None:
    """Raises ManifestRefused."""
    if archive.has(REQUIREMENTS):
        return _requirements(archive, source_builds=source_builds)
    if archive.has(PYLOCK):
        return _pylock(archive, source_builds=source_builds)
    if archive.has(PROJECT):
        return _project(archive, source_builds=source_builds)
    return None


def _requirements(archive: Archive, *, source_builds: bool) -> Manifest | None:
    walk = _Requirements(archive, source_builds=source_builds)
    walk.include(REQUIREMENTS)
    if not walk.wanted:
        return None
    return Manifest(installer="requirements", files=walk.files(), local=walk.local)


class _Requirements:
    """One requirement file with all that it includes.

    ``files`` has the lines as they were understood and checked here, so the installer cannot read them another way.
    """

    def __init__(self, archive: Archive, *, source_builds: bool) -> None:
        self._archive = archive
        self._source_builds = source_builds
        self._lines: dict[str, list[str]] = {}
        self._included: set[tuple[str, bool]] = set()
        self.local = False
        self.wanted = False

    def files(self) -> dict[str, bytes]:
        return {path: "\n".join([*lines, ""]).encode() for path, lines in self._lines.items()}

    def include(self, path: str, *, constraints: bool = False) -> None:
        """Constraints alone ask for nothing."""
        if (path, constraints) in self._included:
            return
        self._included.add((path, constraints))
        if len(self._included) > MAX_FILES:
            raise ManifestRefused(f"{REQUIREMENTS} includes more than {MAX_FILES} files.")
        lines = self._lines[path] = list(_logical_lines(manifests.read(self._archive, path)))
        wanted = self.wanted
        for line in lines:
            self._line(line, posixpath.dirname(path))
        if constraints:
            self.wanted = wanted

    def _line(self, line: str, folder: str) -> None:
        if "${" in line:
            raise ManifestRefused(f"{shown(line)}: environment variables are not filled in here.")
        found = _OPTION.fullmatch(line)
        if not found:
            self._requirement(line, folder)
            return
        option, value = found[1], found[2].strip().strip("\"'")
        if option in _INCLUDE:
            self.include(_included(folder, value), constraints=option in _CONSTRAINTS)
        elif option in _EDITABLE:
            self._source(value, folder)
        elif option in _INDEX:
            raise ManifestRefused(f"{option} is not taken from scripts: the operator sets the package index.")
        elif not _harmless(option, value):
            raise ManifestRefused(f"{shown(line)}: this option is not supported in {REQUIREMENTS}.")

    def _requirement(self, line: str, folder: str) -> None:
        self.wanted = True
        text, *options = re.split(r"\s+(?=--)", line)
        for option in options:
            if not option.startswith("--hash"):
                raise ManifestRefused(f"The option {shown(option)} of a requirement is not supported.")
        named = _NAMED.fullmatch(text)
        if named and named["operator"] == "@":
            self._source(named["rest"].strip(), folder)
        elif not named or text.partition(";")[0].strip().endswith(_FILE_SUFFIXES):
            self._source(text, folder)

    def _source(self, text: str, folder: str) -> None:
        """A URL or a path, perhaps with extras and a marker behind it."""
        self.wanted = True
        word = re.split(r"\s", text, maxsplit=1)[0]
        manifests.refuse_version_control(word)
        if word.lower().startswith("file:"):
            raise ManifestRefused(f"{shown(word)}: name a file of the archive by its path, such as ./package.whl.")
        if manifests.is_url(word):
            manifests.check_url(word)
            return
        path = manifests.inside(folder, re.sub(r"\[.*", "", word))
        self.local = True
        if not path.endswith(".whl"):
            _check_build(path, source_builds=self._source_builds)


def _harmless(option: str, value: str) -> bool:
    if option == "--only-binary":
        return bool(_ONLY_BINARY.fullmatch(value))
    return option in _HARMLESS and not value


def _included(folder: str, path: str) -> str:
    if manifests.is_url(path):
        raise ManifestRefused(f"{shown(path)}: only files of the archive can be included.")
    return manifests.inside(folder, path)


def _logical_lines(text: str) -> Iterator[str]:
    begun = ""
    for line in [*text.splitlines(), ""]:
        begun += _COMMENT.sub("", line).strip()
        if begun.endswith("\\"):
            begun = f"{begun[:-1].rstrip()} "
        else:
            if wanted := begun.strip():
                yield wanted
            begun = ""


def _check_build(path: str, *, source_builds: bool) -> None:
    if not source_builds:
        raise ManifestRefused(
            f"{shown(path)} has to be built from source, which this job does not allow. Use a wheel, or allow source"
            " builds for the job."
        )


def _project(archive: Archive, *, source_builds: bool) -> Manifest | None:
    if not archive.has(UV_LOCK):
        _check_no_dependencies(archive)
        return None
    lock = _toml(archive, UV_LOCK)
    others = [_source_of(package) for package in _tables(lock.get("package")) if not _is_root(package)]
    sources = [source for source in others if "registry" not in source]
    if not others:
        return None
    local = [_check_source(source, source_builds=source_builds) for source in sources]
    files = manifests.collected(archive, (PROJECT, UV_LOCK))
    return Manifest(installer="uv", files=files, local=any(local))


def _check_no_dependencies(archive: Archive) -> None:
    """Many scripts have this file for their linters only."""
    project = _toml(archive, PROJECT).get("project")
    if isinstance(project, dict) and project.get("dependencies"):
        raise ManifestRefused(
            f"{PROJECT} names dependencies but there is no lock. Add {UV_LOCK} (uv lock), {PYLOCK} or {REQUIREMENTS}."
        )


def _pylock(archive: Archive, *, source_builds: bool) -> Manifest | None:
    """PEP 751."""
    packages = _tables(_toml(archive, PYLOCK).get("packages"))
    if not packages:
        return None
    sources = [source for package in packages for source in _files_of(package)]
    local = [_check_source(source, source_builds=source_builds) for source in sources]
    return Manifest(installer="pylock", files=manifests.collected(archive, (PYLOCK,)), local=any(local))


def _files_of(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "vcs" in package:
        yield {"git": str(package.get("name"))}
    if isinstance(package.get("directory"), dict):
        yield {"directory": package["directory"].get("path", "")}
    for name in ("archive", "sdist"):
        if isinstance(package.get(name), dict):
            yield package[name]
    yield from _tables(package.get("wheels"))


def _check_source(source: Mapping[str, Any], *, source_builds: bool) -> bool:
    """Whether it is a file of the archive. Raises ManifestRefused."""
    if "git" in source:
        manifests.refuse_version_control(f"git+{source['git']}")
    if "url" in source:
        manifests.check_url(str(source["url"]))
    for kind in ("path", "directory", "editable", "virtual"):
        if kind in source:
            path = manifests.inside("", str(source[kind]))
            if not path.endswith(".whl"):
                _check_build(path, source_builds=source_builds)
            return True
    return False


def _is_root(package: Mapping[str, Any]) -> bool:
    return any(_source_of(package).get(kind) == "." for kind in ("virtual", "editable", "directory"))


def _source_of(package: Mapping[str, Any]) -> Mapping[str, Any]:
    source = package.get("source")
    return source if isinstance(source, dict) else {}


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _toml(archive: Archive, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(manifests.read(archive, path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestRefused(f"{path} is not valid TOML: {error}"[:300]) from None
