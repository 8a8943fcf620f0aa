"""Prepares what a script's manifest asks for: in a container of its own, with network, without secrets or script."""

import io
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings

from customchecks.archives import Archive
from customchecks.models import Runtime
from customchecks.sandbox import Sandbox, SandboxOutcome, SandboxRequest

INSTALL_SECONDS = 300
INSTALL_MEMORY_MB = 1024
MOUNT = "/deps"

MANIFESTS = {
    Runtime.PYTHON: ("requirements.txt",),
    Runtime.NODE: ("package.json", "package-lock.json", "npm-shrinkwrap.json"),
}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """``volumes`` are for the check's sandbox; ``failure`` is a sentence, with the install's output in ``log``."""

    volumes: tuple[tuple[str, str, bool], ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    log: str = ""
    timings: dict[str, int] = field(default_factory=dict)


@contextmanager
def prepared(sandbox: Sandbox, runtime: str, archive: Archive, *, run_id: str) -> Iterator[Prepared]:
    """Installs on every check; the volume is gone afterwards."""
    manifest = {name: archive.read(name) for name in MANIFESTS[Runtime(runtime)] if archive.has(name)}
    if not _wanted(manifest):
        yield Prepared()
        return
    volume = f"teckochecker-{settings.TECKO_INSTANCE}-deps-{uuid.uuid4().hex[:12]}"
    sandbox.create_volume(volume)
    try:
        yield _install(sandbox, runtime, manifest, volume=volume, run_id=run_id)
    finally:
        sandbox.remove_volume(volume)


def _wanted(manifest: Mapping[str, bytes]) -> bool:
    lines = manifest.get("requirements.txt", b"").decode(errors="replace").splitlines()
    return "package.json" in manifest or any(line.strip() and not line.strip().startswith("#") for line in lines)


def _install(sandbox: Sandbox, runtime: str, manifest: Mapping[str, bytes], *, volume: str, run_id: str) -> Prepared:
    outcome = sandbox.run(
        SandboxRequest(
            runtime=runtime,
            argv=_command(runtime, manifest),
            archive=_tar(manifest),
            claim_id=run_id,
            env=_install_environment(),
            timeout_seconds=INSTALL_SECONDS,
            memory_mb=INSTALL_MEMORY_MB,
            cpu_cores=1.0,
            volumes=((volume, MOUNT, True),),
            purpose="install",
        )
    )
    timings = {"install": outcome.timings.get("total", 0)}
    if outcome.cause or outcome.exit_code != 0:
        return Prepared(failure=_failure(outcome), log=_log(outcome), timings=timings)
    return Prepared(volumes=((volume, MOUNT, False),), env=_script_environment(runtime), timings=timings)


def _command(runtime: str, manifest: Mapping[str, bytes]) -> tuple[str, ...]:
    if runtime == Runtime.PYTHON:
        index = ("--index-url", settings.TECKO_PIP_INDEX_URL) if settings.TECKO_PIP_INDEX_URL else ()
        options = ("--no-cache", "--only-binary", ":all:", "--no-config", "--target", f"{MOUNT}/python")
        return ("uv", "pip", "install", "--python", "python3", *options, *index, "-r", "requirements.txt")
    locked = "package-lock.json" in manifest or "npm-shrinkwrap.json" in manifest
    options = ("--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", MOUNT)
    registry = ("--registry", settings.TECKO_NPM_REGISTRY) if settings.TECKO_NPM_REGISTRY else ()
    return ("npm", "ci" if locked else "install", *options, *registry)


def _install_environment() -> dict[str, str]:
    return {"UV_CACHE_DIR": "/tmp/uv", "npm_config_cache": "/tmp/npm", "npm_config_update_notifier": "false"}  # noqa: S108


def _script_environment(runtime: str) -> dict[str, str]:
    if runtime == Runtime.PYTHON:
        return {"PYTHONPATH": f"{MOUNT}/python"}
    return {"NODE_PATH": f"{MOUNT}/node_modules"}


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _failure(outcome: SandboxOutcome) -> str:
    reason = outcome.message or f"the installer ended with exit code {outcome.exit_code}"
    return f"The dependencies could not be installed: {reason}"


def _log(outcome: SandboxOutcome) -> str:
    return (outcome.stdout + b"\n" + outcome.stderr).decode(errors="replace").strip()
