"""``package.json`` with npm's lock or without one: the first that asks for something, from the entry point upwards.

What npm takes a dependency for is decided by npm-package-arg; here an allow-list is left of it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from customchecks.archives.script_archive import Archive
from customchecks.manifests import node_locks, npm_settings, places, unsupported
from customchecks.manifests.manifest import MAX_NAME, Manifest, ManifestRefused, is_texts, read, shown
from teckochecker.kit import strict_json

PACKAGE = "package.json"
VENDORED = "node_modules"

_INSTALLED = ("dependencies", "optionalDependencies", "peerDependencies")
_NAMED = ("devDependencies", "overrides")  # not installed, but npm looks at them
_FOREIGN = {"resolutions": "Yarn", "pnpm": "pnpm", "catalog": "Bun", "catalogs": "Bun"}


def find(archive: Archive, *, entrypoint: str) -> Manifest | None:
    """None also where the archive brings its ``node_modules``. Raises ManifestRefused."""
    folders = places.folders(entrypoint)
    if any(archive.has_folder(places.joined(folder, VENDORED)) for folder in folders):
        return None
    for folder in folders:
        found = _of_folder(archive, folder)
        if found:
            return found
    for folder in folders:
        unsupported.check_node(archive, folder)
    return None


def _of_folder(archive: Archive, folder: str) -> Manifest | None:
    path = places.joined(folder, PACKAGE)
    if not archive.has(path):
        return None
    package = _object(archive, path)
    if not any(package.get(group) for group in (*_INSTALLED, "workspaces")):
        return None
    for group in (*_INSTALLED, *_NAMED):
        if not isinstance(package.get(group, {}), dict):
            raise ManifestRefused(f"{path}: {group} is an object of names and versions.")
    local = [_check(text, folder) for group in (*_INSTALLED, *_NAMED) for text in _texts(package.get(group))]
    locks = [name for name in node_locks.NAMES if archive.has(places.joined(folder, name))]
    if not locks:
        unsupported.check_node_locks(archive, folder)
        _check_foreign(package, path)
    files = {path: _written(package), **npm_settings.files(archive, folder)}
    for name in locks:
        lock_path = places.joined(folder, name)
        lock = _object(archive, lock_path)
        local += [_check_locked(text, folder) for text in node_locks.origins(lock)]
        local += [_check(text, folder) for text in node_locks.ranges(lock)]
        files[lock_path] = _written(node_locks.without_hosts(lock))
    return Manifest(
        installer="npm-ci" if locks else "npm-install",
        main=path,
        files=files,
        local=any(local) or _has_workspaces(package, folder),
    )


def _check_foreign(package: Mapping[str, Any], path: str) -> None:
    for name, tool in _FOREIGN.items():
        if package.get(name):
            raise ManifestRefused(
                f"{path}: {name} is {tool}'s, and npm would install other versions. Use overrides, or add a"
                " package-lock.json."
            )


def _has_workspaces(package: Mapping[str, Any], folder: str) -> bool:
    found = package.get("workspaces")
    if isinstance(found, dict):
        found = found.get("packages")
    for pattern in found if is_texts(found) else ():
        places.inside(folder, pattern.removeprefix("!"))
    return bool(found)


def _check(text: str, folder: str) -> bool:
    """Whether a dependency is a file of the archive. Raises ManifestRefused."""
    text = text.strip()
    if not text.isprintable() or len(text) > MAX_NAME:  # npm reads some of them as if they were not there
        raise ManifestRefused(f"{shown(text)} is too long, or has characters that cannot be seen.")
    places.refuse_version_control(text)
    if places.is_url(text) and not text.lower().startswith("file:"):
        places.check_url(text.partition("#")[0])
        return False
    if re.match(r"file:|\.{1,2}(/|$)|/|~", text, re.IGNORECASE) or re.search(
        r"\.(tgz|tar|tar\.gz)$", text, re.IGNORECASE
    ):
        places.inside(folder, re.sub(r"^file:", "", text, flags=re.IGNORECASE))
        return True
    if re.fullmatch(r"(npm:(@[\w.~-]++/)?+[\w.~-]++)?+@?[\w.^~<>=|*+ $-]*+", text, re.IGNORECASE):
        return False
    if re.fullmatch(r"\$@?[\w./~-]+", text):  # a reference within overrides
        return False
    if re.match(r"[a-z]+:", text, re.IGNORECASE) and not re.match(r"(github|gitlab|bitbucket|gist):", text):
        raise ManifestRefused(f"{shown(text)}: npm does not know this protocol. Name a version, or file:./folder.")
    raise places.version_control(text)


def _check_locked(text: str, folder: str) -> bool:
    """A ``resolved`` of a lock file; a bare path names a folder that is linked."""
    return _check(text if places.is_url(text) or ":" in text else f"file:{text}", folder)


def _texts(value: object) -> Iterator[str]:
    """The ranges of one group; overrides are nested, as far as JSON is allowed to be."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)


def _object(archive: Archive, path: str) -> dict[str, Any]:
    try:
        found = strict_json.loads(read(archive, path))
    except strict_json.NotStrict as error:
        raise ManifestRefused(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ManifestRefused(f"{shown(path)} is not a JSON object.")
    return found


def _written(value: Mapping[str, Any]) -> bytes:
    """As it was understood here, whatever the encoding was."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode()
