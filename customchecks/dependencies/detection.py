"""Which manifest of an archive counts, by the job's runtime."""

from contextlib import suppress
from dataclasses import dataclass

from customchecks.archives import Archive
from customchecks.dependencies import node_manifests, python_manifests
from customchecks.dependencies.manifests import Manifest


def find(runtime: str, archive: Archive, *, source_builds: bool) -> Manifest | None:
    """None where the script needs nothing beside itself. Raises ManifestRefused."""
    if runtime == "node":
        return node_manifests.find(archive)
    return python_manifests.find(archive, source_builds=source_builds)


@dataclass(frozen=True)
class Fingerprint:
    """What of a manifest tells one set of dependencies from another."""

    installer: str
    digest: str
    local: bool


class Fingerprints:
    """Remembered by the archive's content: a check need not read a manifest again. Thread-safe."""

    MOST = 2000

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, bool], Fingerprint | None] = {}

    def find(self, runtime: str, archive: Archive, *, source_builds: bool) -> Fingerprint | None:
        """None where the script needs nothing beside itself. Raises ManifestRefused."""
        wanted = runtime, archive.sha256, source_builds
        with suppress(KeyError):  # another thread may clear it at any time
            return self._found[wanted]
        manifest = find(runtime, archive, source_builds=source_builds)
        found = Fingerprint(manifest.installer, manifest.digest(), manifest.local) if manifest else None
        if len(self._found) >= self.MOST:
            self._found.clear()
        self._found[wanted] = found
        return found
