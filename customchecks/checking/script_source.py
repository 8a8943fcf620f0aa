"""Which script a check runs: the newest upload, the newest commit of a branch, or the version that was pinned."""

import uuid
from dataclasses import dataclass
from typing import Self

import structlog

from customchecks.archives.script_archive import Archive, ArchiveRejected
from customchecks.dependencies import detection
from customchecks.git.bare_repository import Checkout
from customchecks.git.connection import Remote
from customchecks.git.process import GitFailed
from customchecks.git.repositories import Repositories
from customchecks.jobs import versions
from customchecks.jobs.models import CustomCheckJob, ScriptVersion, SourcePolicy, SourceType
from customchecks.manifests.manifest import ManifestRefused
from secrets_app import references
from secrets_app.masking.masker import Masker

logger = structlog.get_logger(__name__)

PINNED = "pinned"
STALE = "stale"


class SourceFailed(Exception):
    """There is no script to run; the message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a check runs.

    ``revision`` is a commit, or an archive's sha256. ``source`` is "pinned", "stale" (``note`` says why) or "".
    """

    archive: Archive
    revision: str
    version: int | None = None
    source: str = ""
    note: str = ""


class Sources:
    """Finds the script of a job, fetching it where that has to be. Thread-safe."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    @classmethod
    def from_settings(cls) -> Self:
        return cls(Repositories.from_settings())

    def script(self, job: CustomCheckJob, *, check_id: uuid.UUID) -> Script:
        """Raises SourceFailed, references.SecretMissing."""
        if job.script_version_pin is not None:
            return _pinned(job)
        if job.script_source_type == SourceType.UPLOAD:
            return _uploaded(job)
        remote, masker = _remote(job, check_id)
        try:
            return _of_version(job, self._current(job, remote))
        except (GitFailed, ArchiveRejected, SourceFailed) as error:
            return _fallen_back(job, masker.text(str(error)))

    def _current(self, job: CustomCheckJob, remote: Remote) -> ScriptVersion:
        """Raises GitFailed, ArchiveRejected, SourceFailed."""
        commit = job.script_git_commit or self._repositories.commit_of(remote, job.script_git_branch or "main")
        latest = versions.newest(job)
        if latest and latest.commit == commit:
            return latest
        found = self._repositories.checkout(remote, commit=commit, path=job.script_git_path or "")
        _check_usable(job, found.archive, where=f"Commit {commit[:12]}")
        version = _stored(job, found)
        logger.info("script_version_added", job_id=job.pk, version=version.number, commit=commit)
        return version


def _stored(job: CustomCheckJob, found: Checkout) -> ScriptVersion:
    try:
        return versions.add(job, found.archive, commit=found.commit, notes=found.notes)
    except CustomCheckJob.DoesNotExist:
        raise SourceFailed("The job was deleted.") from None


def _pinned(job: CustomCheckJob) -> Script:
    version = versions.pinned(job)
    if version is None:
        raise SourceFailed(f"Version {job.script_version_pin}, to which the job is pinned, is gone.")
    return _of_version(job, version, source=PINNED)


def _uploaded(job: CustomCheckJob) -> Script:
    version = versions.newest(job)
    if version is not None:
        return _of_version(job, version)
    raise SourceFailed(job.not_runnable() or "The job has no script.")


def _fallen_back(job: CustomCheckJob, problem: str) -> Script:
    latest = versions.newest(job)
    if job.script_source_policy == SourcePolicy.ERROR or latest is None:
        raise SourceFailed(problem)
    logger.warning("script_stale", job_id=job.pk, version=latest.number, problem=problem)
    return _of_version(job, latest, source=STALE, note=problem)


def _of_version(job: CustomCheckJob, version: ScriptVersion, *, source: str = "", note: str = "") -> Script:
    archive = version.stored_archive()
    _check_entrypoint(archive, job.script_entrypoint, where=f"Version {version.number}")
    return Script(archive=archive, revision=version.revision, version=version.number, source=source, note=note)


def _check_usable(job: CustomCheckJob, archive: Archive, *, where: str) -> None:
    """What an upload would be refused for is no new version either."""
    _check_entrypoint(archive, job.script_entrypoint, where=where)
    try:
        detection.judge(archive, job.use())
    except ManifestRefused as error:
        raise SourceFailed(f"{where}: {error}") from None


def _check_entrypoint(archive: Archive, entrypoint: str, *, where: str) -> None:
    if not archive.has(entrypoint):
        raise SourceFailed(f"{where} has no file {entrypoint!r}, which is the job's entrypoint.")


def _remote(job: CustomCheckJob, check_id: uuid.UUID) -> tuple[Remote, Masker]:
    """The masker knows the token."""
    reference = job.script_git_token or ""
    given = {"token": reference} if reference else {}
    secrets = references.resolve(given, job_kind=job.kind, job_id=job.pk, check_id=check_id)
    url = job.script_git_url or ""
    return Remote(url=url, token=secrets.values.get("token", ""), credential=reference), secrets.masker
