"""The versions of a job's script: stored once, never changed, numbered from 1; which one runs, and which may go."""

from datetime import datetime, timedelta
from functools import partial
from typing import cast

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction

from customchecks.archives.script_archive import Archive
from customchecks.jobs.models import CustomCheckJob, ScriptArchive, ScriptVersion, SourceType

KEPT_VERSIONS = 20
ARCHIVE_GRACE = timedelta(hours=1)  # an archive is stored a moment before the version that holds it


def newest(job: CustomCheckJob) -> ScriptVersion | None:
    """Of those that came the way that the job is configured for now."""
    found = job.versions.filter(source=job.script_source_type)
    if job.script_source_type == SourceType.GIT:
        found = found.filter(origin=origin(job))
    return found.select_related("archive").order_by("-number").first()


def pinned(job: CustomCheckJob) -> ScriptVersion | None:
    if job.script_version_pin is None:
        return None
    return job.versions.select_related("archive").filter(number=job.script_version_pin).first()


def origin(job: CustomCheckJob) -> str:
    """Where a commit's files come from; a URL has no spaces."""
    return f"{job.script_git_url} {job.script_git_path or ''}".strip()


@transaction.atomic
def add(
    job: CustomCheckJob,
    archive: Archive,
    *,
    commit: str = "",
    notes: tuple[str, ...] = (),
    user: User | AnonymousUser | None = None,
) -> ScriptVersion:
    """The next version, or the newest where that is the same already. It is the job's script, unless one is pinned.

    The oldest go as new ones come: a repository may have another commit at every check. Raises
    CustomCheckJob.DoesNotExist.
    """
    current = _lock(job.pk)
    if current is None:
        raise CustomCheckJob.DoesNotExist
    version = newest(job)
    if version is None or (version.archive_id, version.commit) != (archive.sha256, commit):
        version = ScriptVersion.objects.create(
            job=job,
            number=(job.versions.order_by("-number").values_list("number", flat=True).first() or 0) + 1,
            archive=store(archive),
            commit=commit,
            source=job.script_source_type,
            origin=origin(job) if job.script_source_type == SourceType.GIT else "",
            notes=list(notes),
            created_by=user if isinstance(user, User) else None,
        )
    use(job, pinned(current) or version)
    _drop_old(job.pk)
    return version


def store(archive: Archive) -> ScriptArchive:
    """Inside a transaction. The row is locked, so that nobody collects it before its version is stored."""
    stored, _ = (
        ScriptArchive.objects.select_for_update()
        .defer("content")
        .get_or_create(
            sha256=archive.sha256,
            defaults={"content": archive.content, "size": archive.size, "files": list(archive.files)},
        )
    )
    return stored


def use(job: CustomCheckJob, version: ScriptVersion | None) -> None:
    """The job shows the archive of this version as its script."""
    job.script_archive = version.archive if version else None
    job.script_file_path = f"{version.archive_id}.tgz" if version else None
    job.save(update_fields=["script_archive", "script_file_path"])


@transaction.atomic
def pin(job: CustomCheckJob, number: int | None = None) -> ScriptVersion:
    """Every check runs this version, or by None the one that runs now, until ``unpin``. Raises ValidationError."""
    version = _wanted(job, number)
    if not version.stored_archive().has(job.script_entrypoint):
        message = f"{version} has no file {job.script_entrypoint!r}, which is the job's entrypoint."
        raise ValidationError({"version": message}, code="entrypoint_missing")
    job.script_version_pin = version.number
    job.save(update_fields=["script_version_pin"])
    use(job, version)
    return version


def _wanted(job: CustomCheckJob, number: int | None) -> ScriptVersion:
    if number is None:
        version = pinned(job) or newest(job)
        message = "The job has no version of its script yet."
    else:
        version = job.versions.select_related("archive").filter(number=number).first()
        message = f"The job has no version {number}."
    if version is None:
        raise ValidationError({"version": message}, code="no_version")
    return version


@transaction.atomic
def unpin(job: CustomCheckJob) -> None:
    """The job follows its branch, or its newest upload, again; what came from elsewhere is not its script."""
    job.script_version_pin = None
    job.save(update_fields=["script_version_pin"])
    use(job, newest(job))


def collect(now: datetime) -> int:
    """Deletes versions beyond the newest 20 of each job that are not in use, and archives without one.

    Log rows keep the number and the commit.
    """
    dropped = 0
    for job_id in list(CustomCheckJob.objects.values_list("pk", flat=True)):
        dropped += _drop_old(job_id)
    return dropped + _collect_archives(now)


@transaction.atomic
def _drop_old(job_id: int) -> int:
    job = _lock(job_id)
    if job is None:
        return 0
    kept = job.versions.order_by("-number").values_list("number", flat=True)[:KEPT_VERSIONS]
    old = job.versions.exclude(number__in=[*kept, job.script_version_pin or 0])
    old = old.exclude(archive_id=job.script_archive_id or "")
    archives = sorted(set(old.values_list("archive_id", flat=True)))
    for sha256 in archives:  # afterwards: two jobs must not wait for each other's archives
        transaction.on_commit(partial(drop_unused, sha256), robust=True)
    return old.delete()[0]


def _lock(job_id: int) -> CustomCheckJob | None:
    return cast(CustomCheckJob | None, CustomCheckJob.objects.select_for_update().filter(pk=job_id).first())


def _collect_archives(now: datetime) -> int:
    unused = ScriptArchive.objects.filter(jobs=None, versions=None, created_at__lt=now - ARCHIVE_GRACE)
    dropped = 0
    for sha256 in list(unused.values_list("sha256", flat=True)):
        dropped += drop_unused(sha256)
    return dropped


@transaction.atomic
def drop_unused(sha256: str) -> int:
    """The lock is the one of ``store``, so neither misses the other."""
    stored = ScriptArchive.objects.select_for_update().defer("content").filter(pk=sha256).first()
    if stored is None or stored.jobs.exists() or stored.versions.exists():
        return 0
    stored.delete()
    return 1
