"""Poetry's table in ``pyproject.toml``, with the versions of ``poetry.lock`` where there is one.

A lock of Poetry 2 tells what is installed with which marker, so its packages are requirements, with their hashes. An
older one is a list of constraints for uv's resolver: what the table names has its hashes, the rest its version.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from customchecks.archives.script_archive import Archive
from customchecks.manifests import places, python_versions, toml_text
from customchecks.manifests.manifest import Manifest, ManifestRefused, is_texts, shown, table, tables
from customchecks.manifests.requirement_files import RequirementLines, hash_options, parsed

LOCK = "poetry.lock"

_EXPORT = "Write a requirements.txt instead: poetry export -o requirements.txt."
_FETCHED = ("git", "url", "file", "directory")
_KNOWN = frozenset({"version", "extras", "markers", "python", "optional", "path", "develop", "url", "git", "source"})
_PART = re.compile(r"(\^|~=|~|===|==|>=|<=|!=|>|<|)\s*(\*|v?[0-9][\w.+*-]*)")


@dataclass(frozen=True, kw_only=True)
class _Pin:
    """``exact``: the lock tells that this, with its marker, is installed. Older ones leave that to a resolver."""

    version: str
    marker: str
    hashes: tuple[str, ...]
    exact: bool

    def line(self, begin: str, *markers: str) -> str:
        return " ".join([f"{begin}=={self.version}{_behind(self.marker, *markers)}", *hash_options(self.hashes)])


def find(
    archive: Archive, path: str, project: Mapping[str, Any], *, source_builds: bool, python: str
) -> Manifest | None:
    """``path`` is of pyproject.toml. Raises ManifestRefused."""
    folder = path.rpartition("/")[0]
    poetry = table(table(project.get("tool")).get("poetry"))
    interpreter = str(table(poetry.get("dependencies")).get("python", "*"))
    if "|" not in interpreter:
        python_versions.check(specifier(interpreter, where=path), where=path, python=python)
    lines = RequirementLines(archive, folder=folder, source_builds=source_builds)
    lock = places.joined(folder, LOCK)
    if not archive.has(lock):
        if any(one.get("url") for one in tables(poetry.get("source"))):
            raise ManifestRefused(f"{path}: its source is not asked: the operator sets the package index. {_EXPORT}")
        return lines.manifest(lines.require(path, _wanted(poetry, project, path, None)))
    packages = tables(toml_text.load(archive, lock).get("package"))
    pins = _pins(packages, lock)
    wanted = [*_wanted(poetry, project, path, pins), *_pinned(pins, exact=True)]
    if not wanted:
        return None
    constraints = lines.require(lock, _pinned(pins, exact=False), constraints=True)
    return lines.manifest(lines.require(path, wanted, constrained_by=constraints))


def _wanted(
    poetry: Mapping[str, Any], project: Mapping[str, Any], path: str, pins: Mapping[str, list[_Pin]] | None
) -> Iterator[str]:
    """Poetry 2 takes what the standard has, and its own table where that says more."""
    named = table(project.get("project")).get("dependencies", [])
    if not is_texts(named):
        raise ManifestRefused(f"{path}: dependencies is a list of texts.")
    for text in named:
        _check_locked(parsed(text).name, path, pins)
        yield text
    for name, value in table(poetry.get("dependencies")).items():
        if name.lower() == "python":
            continue
        for one in value if isinstance(value, list) else [value]:
            details = {"version": one} if isinstance(one, str) else one
            if not isinstance(details, dict) or details.keys() - _KNOWN:
                raise ManifestRefused(f"{path}: {shown(name)} is named in a way that is not followed. {_EXPORT}")
            if not details.get("optional"):
                yield from _requirements(name, details, path, pins)


def _requirements(
    name: str, details: Mapping[str, Any], path: str, pins: Mapping[str, list[_Pin]] | None
) -> Iterator[str]:
    if "git" in details:
        places.refuse_version_control(f"git+{details['git']}")
    extras = details.get("extras") or []
    begin = f"{name}[{','.join(map(str, extras))}]" if extras else name
    markers = [str(details.get("markers") or ""), _python_marker(details, path)]
    if place := details.get("path") or details.get("url"):
        yield f"{begin} @ {place}{_behind(*markers)}"
    elif pins is None:
        version = specifier(str(details.get("version", "*")), where=f"{path}: {name}")
        yield f"{begin}{version}{_behind(*markers)}"
    else:
        _check_locked(name, path, pins)
        yield from (pin.line(begin, *markers) for pin in pins[canonicalize_name(name)])


def _behind(*markers: str) -> str:
    found = [f"({marker})" for marker in markers if marker]
    return f" ; {' and '.join(found)}" if found else ""


def _check_locked(name: str, path: str, pins: Mapping[str, list[_Pin]] | None) -> None:
    if pins is not None and canonicalize_name(name) not in pins:
        raise ManifestRefused(f"{LOCK} lacks {name}, which {path} names: it is older. Run poetry lock.")


def _python_marker(details: Mapping[str, Any], path: str) -> str:
    wanted = specifier(str(details.get("python", "*")), where=f"{path}: python")
    found = (_PART.fullmatch(part) for part in wanted.split(",") if part)
    return " and ".join(f"python_full_version {part[1]} '{part[2]}'" for part in found if part)


def specifier(constraint: str, *, where: str) -> str:
    """PEP 440 for a constraint of Poetry's. Raises ManifestRefused."""
    if len(constraint) > 200 or "|" in constraint:
        raise ManifestRefused(
            f"{where}: the constraint {shown(constraint)} cannot be followed without a {LOCK}. {_EXPORT}"
        )
    bounds: list[str] = []
    rest = constraint.replace(",", " ").strip()
    while rest:
        found = _PART.match(rest)
        if not found:
            raise ManifestRefused(f"{where}: {shown(constraint)} is no constraint.")
        bounds += _bounds(found[1], found[2].removeprefix("v"))
        rest = rest[found.end() :].strip()
    return ",".join(bounds)


def _bounds(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    if operator in ("^", "~"):
        return [f">={version}", f"<{_next(version, caret=operator == '^')}"]
    return [f"{operator or '=='}{version}"]


def _next(version: str, *, caret: bool) -> str:
    """The first version that is out of range: ^ keeps the first number that is not 0, ~ the one before the last."""
    numbers = [int(number) for number in re.findall(r"\d{1,18}", re.split(r"[^0-9.]", version)[0])] or [0]
    kept = (
        next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        if caret
        else min(1, len(numbers) - 1)
    )
    return ".".join(str(number) for number in [*numbers[:kept], numbers[kept] + 1])


def _pins(packages: Iterable[Mapping[str, Any]], path: str) -> dict[str, list[_Pin]]:
    """By canonical name; of groups other than the main one only where the lock does not tell."""
    pins: dict[str, list[_Pin]] = {}
    for package in packages:
        groups = package.get("groups")
        if isinstance(groups, list) and "main" not in groups:
            continue
        name = canonicalize_name(str(package.get("name")))
        found = pins.setdefault(name, [])
        pin = _pin(package, told=isinstance(groups, list))
        kind = table(package.get("source")).get("type")
        if kind == "legacy" and not pin.hashes:
            raise ManifestRefused(f"{path}: {name} comes from an index of its own, without hashes. {_EXPORT}")
        if kind not in _FETCHED:
            found.append(pin)
        if len(found) > 1 and not all(pin.marker for pin in found):
            raise ManifestRefused(f"{path} has several versions of {name}. {_EXPORT}")
    return pins


def _pin(package: Mapping[str, Any], *, told: bool) -> _Pin:
    markers = package.get("markers")
    marker = markers.get("main", "") if isinstance(markers, dict) else markers
    return _Pin(
        version=str(package.get("version")),
        marker=marker if isinstance(marker, str) else "",
        hashes=tuple(str(file.get("hash")) for file in tables(package.get("files"))),
        exact=told and not package.get("optional"),
    )


def _pinned(pins: Mapping[str, list[_Pin]], *, exact: bool) -> Iterator[str]:
    return (pin.line(name) for name, found in pins.items() for pin in found if pin.exact is exact)
