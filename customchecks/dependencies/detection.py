"""Which manifest of an archive counts, by the job's runtime and entry point."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from customchecks.archives.script_archive import Archive
from customchecks.images import runtimes
from customchecks.manifests.manifest import Manifest, ManifestRefused


@dataclass(frozen=True, kw_only=True)
class ScriptUse:
    """How an archive is run, as far as it decides what has to be installed."""

    runtime: str
    entrypoint: str
    source_builds: bool = False


def find(archive: Archive, use: ScriptUse) -> Manifest | None:
    """None where the script needs nothing beside itself. Raises ManifestRefused."""
    manifest = runtimes.named(use.runtime).manifest
    return manifest(archive, use.entrypoint, use.source_builds)


@dataclass(frozen=True)
class Fingerprint:
    """What of a manifest tells one set of dependencies from another. ``manifest`` is its path."""

    installer: str
    manifest: str
    digest: str
    local: bool


def judge(archive: Archive, use: ScriptUse) -> Fingerprint | None:
    """As ``find``, but an archive is read once for each use, also where it is refused. Raises ManifestRefused."""
    found = archive.judgements.get(use)
    if use not in archive.judgements:
        found = archive.judgements[use] = _judged(archive, use)
    return _told(found)


class Fingerprints:
    """Remembered by the archive's content: a check need not read a manifest again. Thread-safe."""

    MAX_REMEMBERED = 2000

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[str, ScriptUse], object] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, archive: Archive, use: ScriptUse) -> Fingerprint | None:
        """None where the script needs nothing beside itself. Raises ManifestRefused."""
        wanted = archive.sha256, use
        with self._lock:
            known = wanted in self._found
            found = self._found.get(wanted)
        if not known:
            found = _judged(archive, use)  # without the lock: it takes as long as it takes
            with self._lock:
                self._found[wanted] = found
                if len(self._found) > self.MAX_REMEMBERED:
                    self._found.popitem(last=False)
        return _told(found)


def _judged(archive: Archive, use: ScriptUse) -> object:
    """A refusal is its sentence."""
    try:
        manifest = find(archive, use)
    except ManifestRefused as error:
        return str(error)
    if manifest is None:
        return None
    return Fingerprint(manifest.installer, manifest.named, manifest.digest(), manifest.local)


def _told(found: object) -> Fingerprint | None:
    if isinstance(found, str):
        raise ManifestRefused(found)
    return found if isinstance(found, Fingerprint) else None
