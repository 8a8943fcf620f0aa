"""Creating, changing and deleting a job: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field; ``script`` is the
archive, and ``env_vars.API_KEY`` the value of one key. A job that is gone raises CustomCheckJob.DoesNotExist.
"""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction

from customchecks.archives.script_archive import Archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.images import runtimes
from customchecks.jobs import etags, versions
from customchecks.jobs.models import CustomCheckJob, ScriptVersion, SourceType
from customchecks.manifests.manifest import ManifestRefused
from polling.outbox.deliveries import Delivery
from secrets_app import references
from secrets_app.models import Secret
from teckochecker.kit import declared, declared_values

# Whoever changes one of these wants another script than the one that the job is pinned to
SOURCE = ("script_source_type", "script_git_url", "script_git_branch", "script_git_commit", "script_git_path")


def create_job(data: Mapping[str, Any], *, archive: Archive | None, user: User) -> CustomCheckJob:
    """A job whose script is still to be uploaded is stored, and is not due until then."""
    foresee(CustomCheckJob(), data, archive)
    return _created(data, archive, user)


@transaction.atomic
def _created(data: Mapping[str, Any], archive: Archive | None, user: User) -> CustomCheckJob:
    job = CustomCheckJob(owner=user)
    secrets = _accepted(job, data, archive=archive, user=user)
    job.save()
    _finish(job, secrets, archive=archive, user=user)
    return job


def update_job(
    job: CustomCheckJob,
    data: Mapping[str, Any],
    *,
    archive: Archive | None = None,
    user: User | AnonymousUser,
    match: str | None = None,
) -> None:
    """Saves the columns in ``data`` and no other: an old copy of the job must not bring back what has changed since.

    Who changes a job must be allowed to use all of its secrets: another script could send them anywhere. ``match`` is
    what ``If-Match`` says: ChangedMeanwhile is raised for another definition than this.
    """
    foresee(job, data, archive)
    _update(job, data, archive, user, match)


def check_job(
    job: CustomCheckJob, data: Mapping[str, Any], *, archive: Archive | None, user: User | AnonymousUser
) -> None:
    """Refuses what creating or changing would refuse; the job stays as it is."""
    foresee(job, data, archive)
    _accepted(copy.copy(job), data, archive=archive, user=user)


def foresee(job: CustomCheckJob, data: Mapping[str, Any], archive: Archive | None) -> None:
    """Reads the manifest while no transaction keeps others from writing.

    What is refused is told later, with everything else that is wrong.
    """
    wanted = {**declared.values(job), **data}
    runtime, entrypoint = wanted["script_runtime"], wanted["script_entrypoint"]
    if archive is None or not runtimes.find(runtime) or not isinstance(entrypoint, str):
        return
    entrypoint = entrypoint or runtimes.default_entrypoint(runtime)
    use = ScriptUse(runtime=runtime, entrypoint=entrypoint, source_builds=wanted["allow_source_builds"] is True)
    with contextlib.suppress(ManifestRefused):
        detection.judge(archive, use)


@transaction.atomic
def _update(
    job: CustomCheckJob,
    data: Mapping[str, Any],
    archive: Archive | None,
    user: User | AnonymousUser,
    match: str | None,
) -> None:
    current = _locked(job, match)
    before, deadline = _source(current), current.deadline_seconds
    secrets = _accepted(current, data, archive=archive, user=user)
    current.save(update_fields={*data, "script_entrypoint"})
    if _source(current) != before:
        versions.unpin(current)
    _finish(current, secrets, archive=archive, user=user)
    if "webhook_signing_secrets" in data:
        Delivery.objects.sign_with(current.webhook_signing_secrets, job=current)
    if "poll_interval_seconds" in data:
        current.interval_changed()
    if current.deadline_seconds != deadline:
        current.deadline_changed(deadline)
    job.refresh_from_db()


def store_script(
    job: CustomCheckJob, archive: Archive, *, user: User | AnonymousUser, match: str | None = None
) -> None:
    """The archive takes the place of the job's script; a job that waited for it is due."""
    update_job(job, {}, archive=archive, user=user, match=match)


@transaction.atomic
def pin_version(
    job: CustomCheckJob, number: int | None, *, user: User | AnonymousUser, match: str | None = None
) -> ScriptVersion:
    """The next checks run this version, or by None the one that runs now, until the job is unpinned."""
    update_job(job, {}, user=user, match=match)
    return versions.pin(job, number)


@transaction.atomic
def unpin_version(job: CustomCheckJob, *, user: User | AnonymousUser, match: str | None = None) -> None:
    update_job(job, {}, user=user, match=match)
    versions.unpin(job)


@transaction.atomic
def delete_job(job: CustomCheckJob, *, match: str | None = None) -> None:
    """A running check loses its claim, and with it its container. What is still owed is not sent any more."""
    current = _locked(job, match)
    Delivery.objects.give_up(job_kind=job.kind, job_id=job.pk, reason="The job was deleted before this was sent.")
    references.grant((), job_kind=job.kind, job_id=job.pk, user=None)
    archives = set(current.versions.values_list("archive_id", flat=True))
    current.delete()
    for sha256 in sorted(archives):
        versions.drop_unused(sha256)


def stored_archive(job: CustomCheckJob) -> Archive | None:
    stored = job.script_archive
    if stored is None:
        return None
    return Archive.stored(content=bytes(stored.content), sha256=stored.sha256, files=stored.files)


def _accepted(
    job: CustomCheckJob, data: Mapping[str, Any], *, archive: Archive | None, user: User | AnonymousUser
) -> list[Secret]:
    """Fills the job in; returns the secrets that it refers to. Raises ValidationError with everything that is wrong."""
    errors: dict[str, Any] = {}
    secrets: list[Secret] = []
    with _gathering(errors):
        declared_values.fill(job, data)
    with _gathering(errors):
        secrets = references.check(job, user=user)
    if not errors.keys() & {"script_source_type", "script_runtime", "script_entrypoint"}:
        with _gathering(errors):
            _check_script(job, archive)
    if errors:
        raise ValidationError(errors)
    return secrets


@contextlib.contextmanager
def _gathering(errors: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        error.update_error_dict(errors)


def _check_script(job: CustomCheckJob, archive: Archive | None) -> None:
    if archive is not None and job.script_source_type != SourceType.UPLOAD:
        raise ValidationError({"script": "A job that takes its script from Git has no upload."}, code="source_type")
    if archive is not None:
        _check_manifest(job, archive)
    paths = _paths(job, archive)
    if paths is None or job.script_entrypoint in paths:
        return
    message = f"The script has no file {job.script_entrypoint!r}. Add it, or name the file that is to be run."
    raise ValidationError({"script_entrypoint": message}, code="entrypoint_missing")


def _check_manifest(job: CustomCheckJob, archive: Archive) -> None:
    try:
        detection.judge(archive, job.use())
    except ManifestRefused as error:
        raise ValidationError({"script": str(error)}, code="manifest") from None


def _paths(job: CustomCheckJob, archive: Archive | None) -> set[str] | None:
    """The files of the script that the job will run; None where that is not known yet."""
    if archive is not None:
        return {file.path for file in archive.files}
    if job.script_source_type != SourceType.UPLOAD or job.pk is None:
        return None
    latest = versions.pinned(job) or versions.newest(job)
    return {path for path, _ in latest.archive.files} if latest else None


def _source(job: CustomCheckJob) -> list[Any]:
    return [getattr(job, field) for field in SOURCE]


def _finish(job: CustomCheckJob, secrets: list[Secret], *, archive: Archive | None, user: User | AnonymousUser) -> None:
    giver = user if isinstance(user, User) else None
    references.grant(secrets, job_kind=job.kind, job_id=job.pk, user=giver)
    if archive is not None:
        versions.add(job, archive, user=user)
    if not job.not_runnable():
        job.schedule()


def _locked(job: CustomCheckJob, match: str | None = None) -> CustomCheckJob:
    current = cast(CustomCheckJob, CustomCheckJob.objects.select_for_update().get(pk=job.pk))
    etags.check(current, match)
    return current
