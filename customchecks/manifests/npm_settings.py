"""``.npmrc`` of a script: settings that neither change where packages come from nor what is executed are used."""

import re
from collections.abc import Iterator

from customchecks.archives.script_archive import Archive
from customchecks.manifests import places, public_indexes
from customchecks.manifests.manifest import MAX_NAME, ManifestRefused, read, shown

NAME = ".npmrc"
MAX_LINES = 500

_USED = frozenset(
    {
        *("legacy-peer-deps", "strict-peer-deps", "engine-strict", "prefer-dedupe", "install-links", "force"),
        *("install-strategy", "legacy-bundling", "global-style", "tag", "before", "min-release-age"),
    }
)
_WITHOUT_EFFECT = frozenset(
    {
        *(
            "audit",
            "audit-level",
            "fund",
            "progress",
            "loglevel",
            "color",
            "update-notifier",
            "package-lock",
            "lockfile",
        ),
        *(
            "save",
            "save-exact",
            "save-prefix",
            "save-dev",
            "init-author-name",
            "init-license",
            "init-version",
            "access",
        ),
        *("ignore-scripts", "omit", "production", "yes", "always-auth", "shamefully-hoist", "auto-install-peers"),
        *("strict-peer-dependencies", "node-linker", "replace-registry-host", "omit-lockfile-registry-resolved"),
    }
)
_LINE = re.compile(r"([A-Za-z0-9@/:_.-]+)(?:\[\])?[ \t]*(?:=[ \t]*([^\s]*))?")
_VALUE = re.compile(r"[A-Za-z0-9_.:-]*")


def files(archive: Archive, folder: str) -> dict[str, bytes]:
    """The settings that are used, as a file, where there are any. Raises ManifestRefused."""
    path = places.joined(folder, NAME)
    if not archive.has(path):
        return {}
    used = list(_used(read(archive, path), path))
    return {path: "\n".join([*used, ""]).encode()} if used else {}


def _used(text: str, path: str) -> Iterator[str]:
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) > MAX_LINES:
        raise ManifestRefused(f"{path} has more than {MAX_LINES} lines.")
    for line in lines:
        if not line or line.startswith(("#", ";")):
            continue
        found = _LINE.fullmatch(line) if len(line) <= MAX_NAME else None
        if not found:
            raise ManifestRefused(f"{path}: {shown(line.partition('=')[0])} is not a setting that is understood.")
        name, value = found[1], (found[2] or "true").strip("\"'")
        if name in _USED and _VALUE.fullmatch(value):
            yield f"{name}={value}"
        elif not (name in _WITHOUT_EFFECT or (name == "registry" and value.rstrip("/") == public_indexes.NPM_REGISTRY)):
            raise _refused(path, name)


def _refused(path: str, name: str) -> ManifestRefused:
    if name.endswith("registry") or name.startswith("//") or "auth" in name.lower():
        remedy = "The operator names the registry, and who may use it, in TECKO_NPM_REGISTRY. Take the line out."
    else:
        remedy = "It could change where packages come from, or what is executed. Take the line out."
    return ManifestRefused(f"{path}: {shown(name)} is not taken from scripts. {remedy}")
