"""Which manifest of an archive counts, by the job's runtime."""

from customchecks.archives import Archive
from customchecks.dependencies import node_manifests, python_manifests
from customchecks.dependencies.manifests import Manifest


def find(runtime: str, archive: Archive, *, source_builds: bool) -> Manifest | None:
    """None where the script needs nothing beside itself. Raises ManifestRefused."""
    if runtime == "node":
        return node_manifests.find(archive)
    return python_manifests.find(archive, source_builds=source_builds)
