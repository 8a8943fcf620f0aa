"""``Pipfile`` of Pipenv, and ``Pipfile.lock``, which counts where it is there."""

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from customchecks.archives.script_archive import Archive
from customchecks.manifests import places, public_indexes, toml_text
from customchecks.manifests.manifest import Manifest, ManifestRefused, read, shown, table
from customchecks.manifests.requirement_files import RequirementLines, hash_options
from teckochecker.kit import strict_json

PIPFILE, LOCK = "Pipfile", "Pipfile.lock"

_KNOWN = frozenset({"version", "hashes", "extras", "markers", "index", "path", "file", "git", "editable", "ref"})
_REMEDY = "Write a requirements.txt instead: pipenv requirements > requirements.txt."


def find(archive: Archive, folder: str, *, source_builds: bool) -> Manifest | None:
    """Raises ManifestRefused."""
    pipfile, lock = places.joined(folder, PIPFILE), places.joined(folder, LOCK)
    wanted = toml_text.load(archive, pipfile) if archive.has(pipfile) else {}
    packages = table(wanted.get("packages"))
    if not archive.has(lock):
        return _manifest(archive, folder, pipfile, packages, sources=wanted.get("source"), source_builds=source_builds)
    locked = _lock(archive, lock)
    pinned = table(locked.get("default"))
    if missing := {canonicalize_name(name) for name in packages} - {canonicalize_name(name) for name in pinned}:
        raise ManifestRefused(f"{lock} lacks {min(missing)}, which {PIPFILE} names: it is older. Run pipenv lock.")
    sources = table(locked.get("_meta")).get("sources")
    return _manifest(archive, folder, lock, pinned, sources=sources, source_builds=source_builds)


def _manifest(
    archive: Archive, folder: str, path: str, packages: Mapping[str, Any], *, sources: object, source_builds: bool
) -> Manifest | None:
    lines = RequirementLines(archive, folder=folder, source_builds=source_builds)
    urls = [str(table(one).get("url")).rstrip("/") for one in _list(sources)]
    foreign = any(url not in public_indexes.PYTHON_INDEXES for url in urls)
    return lines.manifest(lines.require(path, _requirements(path, packages, foreign=foreign)))


def _requirements(path: str, packages: Mapping[str, Any], *, foreign: bool) -> Iterator[str]:
    for name, value in packages.items():
        details = {"version": value} if isinstance(value, str) else value
        if not isinstance(details, dict) or details.keys() - _KNOWN:
            raise ManifestRefused(f"{path}: {shown(name)} is named in a way that is not followed. {_REMEDY}")
        if "git" in details:
            places.refuse_version_control(f"git+{details['git']}")
        if foreign and not details.get("hashes"):
            raise ManifestRefused(f"{path}: its source is not asked: the operator sets the package index. {_REMEDY}")
        yield _line(name, details)


def _line(name: str, details: Mapping[str, Any]) -> str:
    extras = ",".join(map(str, _list(details.get("extras"))))
    begin = f"{name}[{extras}]" if extras else name
    marker = f" ; {details['markers']}" if details.get("markers") else ""
    if place := details.get("path") or details.get("file"):
        return f"{begin} @ {place}{marker}"
    version = str(details.get("version", "*")).strip()
    hashes = hash_options(map(str, _list(details.get("hashes"))))
    return " ".join([f"{begin}{'' if version == '*' else version}{marker}", *hashes])


def _lock(archive: Archive, path: str) -> Mapping[str, Any]:
    try:
        return table(strict_json.loads(read(archive, path)))
    except strict_json.NotStrict as error:
        raise ManifestRefused(f"{path} is not valid JSON: {error}.") from None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
