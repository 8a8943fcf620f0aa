"""What a check has to add to its sandbox, so that the script finds what its manifest asks for."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from django.conf import settings

from customchecks.archives.script_archive import Archive
from customchecks.dependencies import detection, installation
from customchecks.dependencies.detection import Fingerprint, Fingerprints, ScriptUse
from customchecks.dependencies.installation import Installation
from customchecks.dependencies.models import DependencySet
from customchecks.dependencies.store import Store
from customchecks.docker.engine import EngineError
from customchecks.images import runtimes
from customchecks.installers import package_managers
from customchecks.manifests.manifest import Manifest, ManifestRefused
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause

FORMAT = 2  # raise it when what an installation makes changes


@dataclass(frozen=True, kw_only=True)
class PreparedDependencies:
    """What a check was found to need. ``volumes`` and ``interpreter``, "" for the image's own, are for its sandbox.

    Where ``cause`` is set there is none; ``failure`` is a sentence, and ``log`` the installer's output where this check
    has caused it. ``key`` names the set, also one that has failed; "" where the script needs none.
    """

    key: str = ""
    volumes: tuple[tuple[str, str, bool], ...] = ()
    interpreter: str = ""
    cause: Cause | None = None
    failure: str = ""
    log: str = ""
    timings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DependencyRequest:
    """What a check asks for. ``owner`` tells a job from others: what is installed from its own files is not shared.

    ``seconds`` is how long the check may take.
    """

    archive: Archive
    use: ScriptUse
    owner: str
    run_id: str
    seconds: float
    purpose: str = "install"

    @property
    def runtime(self) -> str:
        return self.use.runtime


class Dependencies:
    """Thread-safe; one per process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._store = Store(sandbox.volumes)
        self._fingerprints = Fingerprints()

    def prepare(self, wanted: DependencyRequest) -> PreparedDependencies:
        """Installs what is not there yet, or waits for whoever does."""
        try:
            found = self._fingerprints.find(wanted.archive, wanted.use)
        except ManifestRefused as error:
            return PreparedDependencies(cause=Cause.DEPS_FAILED, failure=str(error))
        if found is None:
            return PreparedDependencies()
        try:
            return self._prepare(wanted, found)
        except EngineError as error:
            return PreparedDependencies(cause=Cause.ENGINE_UNAVAILABLE, failure=str(error))

    def _prepare(self, wanted: DependencyRequest, fingerprint: Fingerprint) -> PreparedDependencies:
        image = self._sandbox.image(wanted.runtime)
        if not image:
            return PreparedDependencies()  # the sandbox itself says so best
        key = self._key(wanted, fingerprint, image)
        obtained = self._store.obtain(
            key,
            runtime=runtimes.named(wanted.runtime).word,
            check_id=wanted.run_id,
            seconds=wanted.seconds,
            install=partial(self._install, wanted),
            circumstances=self.circumstances(),
        )
        prepared = PreparedDependencies(key=key, log=obtained.log, timings=obtained.timings)
        if obtained.cause:
            return replace(prepared, cause=obtained.cause, failure=obtained.message)
        packages = runtimes.named(wanted.runtime).packages
        return replace(prepared, volumes=((obtained.volume, packages.place, False),), interpreter=packages.interpreter)

    def _install(self, wanted: DependencyRequest, volume: str) -> Installation:
        manifest = detection.find(wanted.archive, wanted.use)
        return installation.install(
            self._sandbox,
            cast(Manifest, manifest),  # the fingerprint is its own
            wanted.archive,
            runtime=wanted.runtime,
            volume=volume,
            source_builds=wanted.use.source_builds,
            run_id=wanted.run_id,
            purpose=wanted.purpose,
        )

    def outdated(self) -> list[str]:
        """The keys of sets that failed under settings that hold no more; they are forgotten. Raises EngineError."""
        engine = self._sandbox.volumes.engine_id()
        found = DependencySet.objects.outdated(engine, circumstances=self.circumstances())
        keys = list(found.values_list("key", flat=True))
        found.filter(key__in=keys).delete()
        return keys

    def circumstances(self) -> str:
        """What may let an installation fail that is no fault of the manifest's."""
        limits = [settings.TECKO_DEPS_CACHE_MB, settings.TECKO_DEPS_INSTALL_SECONDS]
        indexes = package_managers.indexes()
        return hashlib.sha256(json.dumps([FORMAT, self._sandbox.surroundings, *indexes, *limits]).encode()).hexdigest()

    def _key(self, wanted: DependencyRequest, fingerprint: Fingerprint, image: str) -> str:
        volumes = self._sandbox.volumes
        local = [wanted.owner, wanted.archive.sha256] if fingerprint.local else []
        runtime = runtimes.named(wanted.runtime)
        place = [volumes.engine_id(), volumes.instance, runtime.name, image, runtime.packages.index]
        what = [fingerprint.installer, fingerprint.digest, wanted.use.source_builds]
        return hashlib.sha256(json.dumps([FORMAT, *place, *what, *local]).encode()).hexdigest()
