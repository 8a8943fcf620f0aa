"""npm's lock files, in all versions of their format."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from customchecks.manifests import public_indexes

NAMES = ("npm-shrinkwrap.json", "package-lock.json")

_GROUPS = ("dependencies", "optionalDependencies", "peerDependencies", "requires")
# The place of a tarball in every registry: …/name/-/name-1.0.0.tgz
_TARBALL = re.compile(r"/(?:@[^/]+/|@[^/]+%2[fF])?[^/]+/-/(?:@[^/]+/)?[^/]+\.tgz")


def origins(lock: Mapping[str, Any]) -> Iterator[str]:
    """Where packages come from."""
    for found in _objects(lock):
        for key in ("resolved", "version"):
            text = found.get(key)
            if isinstance(text, str) and (key == "resolved" or re.search("[:/]", text)):
                yield text


def ranges(lock: Mapping[str, Any]) -> Iterator[str]:
    """What the packages depend on themselves, which npm looks up where the lock lacks it."""
    for found in _objects(lock):
        for group in _GROUPS:
            wanted = found.get(group)
            if isinstance(wanted, dict):
                yield from (text for text in wanted.values() if isinstance(text, str))


def without_hosts(lock: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lock without the addresses of other registries' tarballs: npm asks the operator's for the same version.

    npm's own ``replace-registry-host`` keeps the path, which is another one at every other registry. ``integrity``
    stays, so other content than what was locked is an error. The public registry's are left: in its place npm itself
    asks the one that is set. Changes ``lock``.
    """
    direct = {text.partition("#")[0] for text in ranges(lock) if "://" in text}
    for found in _objects(lock):
        text = found.get("resolved")
        if isinstance(text, str) and text.partition("#")[0] not in direct and _of_another_registry(text):
            del found["resolved"]
    return lock


def _of_another_registry(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname != public_indexes.NPM_HOST and bool(_TARBALL.search(parts.path))


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Every object that is nested in it, itself first."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
