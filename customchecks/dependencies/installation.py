"""One installation, in a container of its own: with network, without secrets, and without the script."""

import io
import json
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from customchecks.archives.script_archive import Archive
from customchecks.dependencies import failure_reasons
from customchecks.images import runtimes
from customchecks.installers import installer, package_managers
from customchecks.installers.package_managers import PackageManager
from customchecks.manifests.manifest import Manifest
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.request import SandboxRequest
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from secrets_app.masking.masker import Masker
from teckochecker.kit import strict_json

MEMORY_MB = 1024
CPU_CORES = 1.0
CACHE_SHARE = 2  # one set may take half of the cache
MAX_LOG_CHARACTERS = 20_000

# What says nothing about the dependencies
PASSING = (Cause.IMAGE_MISSING, Cause.ENGINE_UNAVAILABLE, Cause.NETWORK_UNPROTECTED, Cause.RUNNER_LOST)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """How an installation ended. ``cause`` is None where it worked; ``message`` is a sentence where not.

    ``size`` is bytes.
    """

    cause: Cause | None = None
    message: str = ""
    log: str = ""
    size: int = 0
    milliseconds: int = 0


def install(
    sandbox: Sandbox,
    manifest: Manifest,
    archive: Archive,
    *,
    runtime: str,
    volume: str,
    source_builds: bool,
    run_id: str,
    purpose: str,
) -> Installation:
    """Fills ``volume``, which has to be empty; its content is on the disk when this has worked."""
    code = Path(installer.__file__).read_text(encoding="utf-8")
    packages = runtimes.named(runtime).packages
    plan = _plan(manifest, packages, source_builds=source_builds)
    outcome = sandbox.run(
        SandboxRequest(
            runtime=runtime,
            argv=("python3", "-I", "-c", code, json.dumps(plan)),
            archive=_tar(manifest, archive),
            claim_id=run_id,
            env=_environment(packages),
            timeout_seconds=settings.TECKO_DEPS_INSTALL_SECONDS,
            memory_mb=MEMORY_MB,
            cpu_cores=CPU_CORES,
            volumes=((volume, installer.VOLUME, True),),
            purpose=purpose,
        )
    )
    return _result(outcome)


def _plan(manifest: Manifest, packages: PackageManager, *, source_builds: bool) -> dict[str, Any]:
    limit = settings.TECKO_DEPS_CACHE_MB * 1024 * 1024 // CACHE_SHARE
    return {
        "steps": packages.steps(manifest, source_builds),
        "limit": limit,
        "folder": manifest.folder,
        "hoist": packages.hoist,
        "compile": packages.compile,
    }


def _environment(packages: PackageManager) -> dict[str, str]:
    """The address of the index may hold a password: only the installer itself is told, and keeps it to itself."""
    indexes = {packages.index_variable: packages.index} if packages.index else {}
    return {installer.INDEXES: json.dumps(indexes), **packages.environment}


def _tar(manifest: Manifest, archive: Archive) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.GNU_FORMAT) as target:
        for name, content in manifest.files.items():
            _add(target, name, content)
        if manifest.local:
            _add_rest(target, archive, without=manifest.files)
    return packed.getvalue()


def _add_rest(target: tarfile.TarFile, archive: Archive, *, without: Collection[str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive.content), mode="r:gz") as source:
        for entry in source:
            if entry.name not in without and entry.name.rpartition("/")[2] not in package_managers.UNWANTED:
                target.addfile(entry, source.extractfile(entry) if entry.isfile() else None)


def _add(target: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    target.addfile(entry, io.BytesIO(content))


def _result(outcome: SandboxOutcome) -> Installation:
    masker = _masker()
    log = masker.text(strict_json.storable(outcome.stderr.decode(errors="replace")).strip())[-MAX_LOG_CHARACTERS:]
    milliseconds = outcome.timings.get("total", 0)
    if outcome.cause in PASSING:
        return Installation(cause=outcome.cause, message=outcome.message, log=log, milliseconds=milliseconds)
    said = _said(outcome)
    size = said.get("size")
    if outcome.cause is None and outcome.exit_code == 0 and isinstance(size, int):
        return Installation(size=size, log=log, milliseconds=milliseconds)
    message = masker.text(f"The dependencies could not be installed. {_reason(outcome, said, log)}")
    return Installation(cause=Cause.DEPS_FAILED, message=message, log=log, milliseconds=milliseconds)


def _said(outcome: SandboxOutcome) -> Mapping[str, Any]:
    try:
        said = strict_json.loads(outcome.stdout.decode(errors="replace").strip() or "{}")
    except strict_json.NotStrict:
        return {}
    return said if isinstance(said, dict) else {}


def _reason(outcome: SandboxOutcome, said: Mapping[str, Any], log: str) -> str:
    if outcome.cause is Cause.TIMEOUT:
        return f"The installer was not done after {settings.TECKO_DEPS_INSTALL_SECONDS} seconds."
    if outcome.cause is Cause.OOM:
        return f"The installer needed more than {MEMORY_MB} MB of memory."
    if outcome.cause:
        return outcome.message
    begin = said.get("error") or f"The installer ended with exit code {outcome.exit_code}."
    return f"{begin} {failure_reasons.told(log)}".strip()


def _masker() -> Masker:
    """The operator's indexes may be called with a user name and a password."""
    parts = [urlsplit(url) for url in package_managers.indexes() if url]
    return Masker([word for part in parts for word in (part.password, part.username and part.netloc) if word])
