"""Creating, changing and deleting a job: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction

from customchecks.archives import Archive
from customchecks.models import CustomCheckJob, ScriptArchive, SourceType
from secrets_app import references

# Where a value may hold ``secret_ref:…``
REFERRING = ("env_vars", "webhook_headers", "webhook_query_params")


def create_job(data: Mapping[str, Any], *, archive: Archive | None, user: User) -> CustomCheckJob:
    """A job whose script is still to be uploaded is stored, and is not due until then."""
    job = CustomCheckJob(**data, owner=user)
    _validate(job, archive)
    with transaction.atomic():
        job.save()
        _grant(job, user)
        if archive is not None:
            _store(job, archive)
        if not job.not_runnable():
            job.schedule()
    return job


def update_job(
    job: CustomCheckJob, data: Mapping[str, Any], *, archive: Archive | None = None, user: User | AnonymousUser
) -> None:
    """Saves the columns in ``data`` and no other: an old copy of the job must not bring back what has changed since."""
    for field, value in data.items():
        setattr(job, field, value)
    _validate(job, archive or stored_archive(job))
    changed = {*data, "script_entrypoint"} if "script_runtime" in data else set(data)
    with transaction.atomic():
        job.save(update_fields=changed)
        if changed & set(REFERRING):
            _grant(job, user)
        if archive is not None:
            _store(job, archive)
            job.schedule()
        if "poll_interval_seconds" in data:
            job.interval_changed()


def store_script(job: CustomCheckJob, archive: Archive) -> None:
    if job.script_source_type != SourceType.UPLOAD:
        raise ValidationError({"file": "The job takes its script from Git; it has no upload."}, code="source_type")
    _check_entrypoint(job, archive)
    with transaction.atomic():
        _store(job, archive)
        job.schedule()


def delete_job(job: CustomCheckJob) -> None:
    """A running check loses its claim, and with it its container."""
    with transaction.atomic():
        references.grant((), job_kind=job.kind, job_id=job.pk, user=None)
        job.delete()


def stored_archive(job: CustomCheckJob) -> Archive | None:
    stored = job.script_archive
    if stored is None:
        return None
    return Archive.stored(content=bytes(stored.content), sha256=stored.sha256, files=stored.files)


def _validate(job: CustomCheckJob, archive: Archive | None) -> None:
    job.full_clean()
    if archive is not None:
        if job.script_source_type != SourceType.UPLOAD:
            raise ValidationError({"script": "A job that takes its script from Git has no upload."}, code="source_type")
        _check_entrypoint(job, archive)


def _check_entrypoint(job: CustomCheckJob, archive: Archive) -> None:
    if archive.has(job.script_entrypoint):
        return
    message = f"The archive has no {job.script_entrypoint!r}. Add it, or name the file that is to be run."
    raise ValidationError({"script_entrypoint": message}, code="entrypoint_missing")


def _grant(job: CustomCheckJob, user: User | AnonymousUser) -> None:
    found, errors = [], {}
    for field in REFERRING:
        try:
            found += references.validate(getattr(job, field) or {}, user=user)
        except references.InvalidReferences as error:
            errors[field] = [f"{key}: {message}" for key, message in error.errors.items()]
    if errors:
        raise ValidationError(errors)
    references.grant(found, job_kind=job.kind, job_id=job.pk, user=user if isinstance(user, User) else None)


def _store(job: CustomCheckJob, archive: Archive) -> None:
    stored, _ = ScriptArchive.objects.get_or_create(
        sha256=archive.sha256,
        defaults={"content": archive.content, "size": archive.size, "files": list(archive.files)},
    )
    job.script_archive = stored
    job.script_file_path = f"{archive.sha256}.tgz"
    job.save(update_fields=["script_archive", "script_file_path"])
