"""What a Python script asks for: the first manifest that says it, from the entry point's own folder upwards."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from customchecks.archives.script_archive import Archive
from customchecks.manifests import (
    inline_metadata,
    pipfile,
    places,
    poetry,
    python_versions,
    toml_text,
    unsupported,
    uv_settings,
)
from customchecks.manifests.manifest import Manifest, ManifestRefused, collected, is_texts, table, tables
from customchecks.manifests.requirement_files import RequirementLines, must_be_built, parsed

REQUIREMENTS, PYLOCK, PROJECT, UV_LOCK = "requirements.txt", "pylock.toml", "pyproject.toml", "uv.lock"


@dataclass(frozen=True)
class _Place:
    """One folder of an archive, and whether its packages may be built."""

    archive: Archive
    folder: str
    source_builds: bool
    python: str

    def path(self, name: str) -> str:
        return places.joined(self.folder, name)

    def has(self, name: str) -> bool:
        return self.archive.has(self.path(name))

    def toml(self, name: str) -> dict[str, Any]:
        return toml_text.load(self.archive, self.path(name))

    def lines(self) -> RequirementLines:
        return RequirementLines(self.archive, folder=self.folder, source_builds=self.source_builds)


def find(archive: Archive, *, entrypoint: str, source_builds: bool, python: str) -> Manifest | None:
    """``python`` is the runtime's version, such as "3.11". Raises ManifestRefused."""
    inline = inline_metadata.find(archive, entrypoint, source_builds=source_builds, python=python)
    if inline is not None:
        return inline.manifest
    folders = places.folders(entrypoint)
    for folder in folders:
        place = _Place(archive, folder, source_builds, python)
        for name, read in _READERS:
            if place.has(name):
                found = read(place)
                if found or name != PROJECT:  # many scripts have that one for their linters only
                    return found
    for folder in folders:
        unsupported.check_python(archive, folder)
    return None


def _requirements(place: _Place) -> Manifest | None:
    lines = place.lines()
    lines.include(place.path(REQUIREMENTS))
    return lines.manifest(place.path(REQUIREMENTS))


def _pylock(place: _Place) -> Manifest | None:
    """PEP 751."""
    lock = place.toml(PYLOCK)
    python_versions.check(lock.get("requires-python"), where=place.path(PYLOCK), python=place.python)
    packages = tables(lock.get("packages"))
    if not packages:
        return None
    local = [_check_source(place, source) for package in packages for source in _files_of(package)]
    path = place.path(PYLOCK)
    return Manifest(installer="pylock", main=path, files=collected(place.archive, (path,)), local=any(local))


def _project(place: _Place) -> Manifest | None:
    project = place.toml(PROJECT)
    found = _found_in(place, project)
    if found:  # of a project that asks for nothing it is for the linters
        wanted = table(project.get("project")).get("requires-python")
        python_versions.check(wanted, where=place.path(PROJECT), python=place.python)
    return found


def _found_in(place: _Place, project: Mapping[str, Any]) -> Manifest | None:
    if place.has(UV_LOCK):
        return _uv(place, project)
    unsupported.check_locks(place.archive, place.folder)
    if "poetry" in table(project.get("tool")):
        return poetry.find(
            place.archive, place.path(PROJECT), project, source_builds=place.source_builds, python=place.python
        )
    unsupported.check_project(project, place.path(PROJECT))
    wanted = table(project.get("project")).get("dependencies")
    if not wanted:
        return None
    if not is_texts(wanted):
        raise ManifestRefused(f"{place.path(PROJECT)}: dependencies is a list of texts.")
    if place.has(poetry.LOCK):
        return poetry.find(
            place.archive, place.path(PROJECT), project, source_builds=place.source_builds, python=place.python
        )
    uv_settings.check(table(project.get("tool")).get("uv"), place.path(PROJECT), lock="uv lock")
    lines = place.lines()
    return lines.manifest(lines.require(place.path(PROJECT), wanted))


def _uv(place: _Place, project: Mapping[str, Any]) -> Manifest | None:
    packages = tables(place.toml(UV_LOCK).get("package"))
    others = [package for package in packages if not _is_root(package)]
    _check_current(place, project, [package for package in packages if _is_root(package)])
    if not others:
        return None
    local = [_check_source(place, source) for source in map(_source_of, others) if "registry" not in source]
    main = place.path(PROJECT)
    files = collected(place.archive, (main, place.path(UV_LOCK)))
    return Manifest(installer="uv", main=main, files=files, local=any(local))


def _check_current(place: _Place, project: Mapping[str, Any], roots: list[Mapping[str, Any]]) -> None:
    """``uv export --frozen`` would leave out what was added since."""
    wanted = table(project.get("project")).get("dependencies")
    locked = {str(one.get("name")) for root in roots for one in tables(root.get("dependencies"))}
    for text in wanted if is_texts(wanted) else ():
        name = canonicalize_name(parsed(text).name)
        if name not in locked:
            raise ManifestRefused(
                f"{place.path(UV_LOCK)} lacks {name}, which {PROJECT} names: it is older. Run uv lock."
            )


def _files_of(package: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "vcs" in package:
        yield {"git": str(package.get("name"))}
    if isinstance(package.get("directory"), dict):
        yield {"directory": package["directory"].get("path", "")}
    for name in ("archive", "sdist"):
        if isinstance(package.get(name), dict):
            yield package[name]
    yield from tables(package.get("wheels"))


def _check_source(place: _Place, source: Mapping[str, Any]) -> bool:
    """Whether it is a file of the archive. Raises ManifestRefused."""
    if "git" in source:
        places.refuse_version_control(f"git+{source['git']}")
    if "url" in source:
        places.check_url(str(source["url"]))
    for kind in ("path", "directory", "editable", "virtual"):
        if kind in source:
            path = places.inside(place.folder, str(source[kind]))
            if not path.endswith(".whl") and not place.source_builds:
                raise must_be_built(path)
            return True
    return False


def _is_root(package: Mapping[str, Any]) -> bool:
    return any(_source_of(package).get(kind) == "." for kind in ("virtual", "editable", "directory"))


def _source_of(package: Mapping[str, Any]) -> Mapping[str, Any]:
    return table(package.get("source"))


def _pipfile(place: _Place) -> Manifest | None:
    return pipfile.find(place.archive, place.folder, source_builds=place.source_builds)


_READERS: tuple[tuple[str, Callable[[_Place], Manifest | None]], ...] = (
    (REQUIREMENTS, _requirements),
    (PYLOCK, _pylock),
    (PROJECT, _project),
    (pipfile.LOCK, _pipfile),
    (pipfile.PIPFILE, _pipfile),
)
