"""``package.json``, with or without a lock file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from customchecks import strictjson
from customchecks.archives import Archive
from customchecks.dependencies import manifests
from customchecks.dependencies.manifests import Manifest, ManifestRefused, shown

PACKAGE = "package.json"
LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
VENDORED = "node_modules/"

_INSTALLED = ("dependencies", "optionalDependencies", "peerDependencies")
_NAMED = ("devDependencies", "overrides", "resolutions")  # not installed, but npm looks at them
_HOSTED = re.compile(r"(github|gitlab|bitbucket|gist):|[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+(#.*)?$")
_PATH = re.compile(r"(file|link|workspace):|\.{1,2}(/|$)|/|~/|[A-Za-z]:[\\/]")


def find(archive: Archive) -> Manifest | None:
    """None also where the archive brings its ``node_modules``. Raises ManifestRefused."""
    if not archive.has(PACKAGE) or any(file.path.startswith(VENDORED) for file in archive.files):
        return None
    package = _object(archive, PACKAGE)
    if not any(package.get(group) for group in (*_INSTALLED, "workspaces")):
        return None
    local = [_check(text) for group in (*_INSTALLED, *_NAMED) for text in _texts(package.get(group))]
    present = [name for name in LOCKS if archive.has(name)]
    for name in present:
        lock = _object(archive, name)
        local += [_check_locked(text) for text in _locked(lock)]
        local += [_check(text) for text in _ranges(lock)]
    return Manifest(
        installer="npm-ci" if present else "npm-install",
        files=manifests.collected(archive, (PACKAGE, *present)),
        local=any(local) or bool(package.get("workspaces")),
    )


def _check(text: str) -> bool:
    """Whether a dependency is a file of the archive. Raises ManifestRefused."""
    text = text.strip()
    if not text.isprintable():  # npm reads some of them as if they were not there
        raise ManifestRefused(f"{shown(text)} has characters that cannot be seen.")
    manifests.refuse_version_control(text)
    if manifests.is_url(text):
        manifests.check_url(text.partition("#")[0])
        return False
    if _PATH.match(text):
        manifests.inside("", re.sub(r"^(file|link|workspace):", "", text))
        return True
    if _HOSTED.match(text) and not text.startswith(("npm:", "@")):
        manifests.refuse_version_control(f"git+{text}")
    return False


def _check_locked(text: str) -> bool:
    """A ``resolved`` of a lock file; a bare path names a folder that is linked."""
    return _check(text if manifests.is_url(text) or ":" in text else f"file:{text}")


def _locked(value: object) -> Iterator[str]:
    """Where packages come from, in all versions of the format."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str) and (key == "resolved" or (key == "version" and re.search("[:/]", inner))):
                yield inner
            else:
                yield from _locked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _locked(inner)


def _ranges(value: object) -> Iterator[str]:
    """What the packages of a lock file depend on themselves, which npm looks up where the lock lacks it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            wanted = inner if key in (*_INSTALLED, "requires") and isinstance(inner, dict) else {}
            yield from (text for text in wanted.values() if isinstance(text, str))
            yield from _ranges(inner)


def _texts(value: object) -> Iterator[str]:
    """The ranges of one group; overrides are nested."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)


def _object(archive: Archive, path: str) -> Mapping[str, Any]:
    try:
        found = strictjson.loads(manifests.read(archive, path))
    except strictjson.NotStrict as error:
        raise ManifestRefused(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ManifestRefused(f"{shown(path)} is not a JSON object.")
    return found
