"""Creating, changing and deleting a job: one place for the API, the command line and the admin.

Everything or nothing is stored. What cannot be accepted raises Django's ValidationError, by field; ``script`` is the
archive, and ``env_vars.API_KEY`` the value of one key. A job that is gone raises CustomCheckJob.DoesNotExist.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import transaction

from customchecks import definition
from customchecks.archives import Archive
from customchecks.models import CustomCheckJob, ScriptArchive, SourceType
from polling.deliveries import Delivery
from secrets_app import references
from secrets_app.models import Secret

# Where a value may hold ``secret_ref:…``
REFERRING = ("env_vars", "webhook_headers", "webhook_query_params", "webhook_signing_secrets")


@transaction.atomic
def create_job(data: Mapping[str, Any], *, archive: Archive | None, user: User) -> CustomCheckJob:
    """A job whose script is still to be uploaded is stored, and is not due until then."""
    job = CustomCheckJob(owner=user)
    secrets = _accepted(job, data, archive=archive, user=user)
    job.save()
    _finish(job, secrets, archive=archive, user=user)
    return job


@transaction.atomic
def update_job(
    job: CustomCheckJob, data: Mapping[str, Any], *, archive: Archive | None = None, user: User | AnonymousUser
) -> None:
    """Saves the columns in ``data`` and no other: an old copy of the job must not bring back what has changed since.

    Who changes a job must be allowed to use all of its secrets: another script could send them anywhere.
    """
    current = _locked(job)
    secrets = _accepted(current, data, archive=archive, user=user)
    current.save(update_fields={*data, "script_entrypoint"})
    _finish(current, secrets, archive=archive, user=user)
    if "webhook_signing_secrets" in data:
        Delivery.objects.sign_with(current.webhook_signing_secrets, job=current)
    if "poll_interval_seconds" in data:
        current.interval_changed()
    job.refresh_from_db()


def store_script(job: CustomCheckJob, archive: Archive, *, user: User | AnonymousUser) -> None:
    """The archive takes the place of the job's script; a job that waited for it is due."""
    update_job(job, {}, archive=archive, user=user)


@transaction.atomic
def delete_job(job: CustomCheckJob) -> None:
    """A running check loses its claim, and with it its container."""
    current = _locked(job)
    references.grant((), job_kind=job.kind, job_id=job.pk, user=None)
    current.delete()
    _drop_unused(current.script_archive_id)


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
        definition.fill(job, data)
    with _gathering(errors):
        secrets = _usable_secrets(job, user)
    if not errors.keys() & {"script_source_type", "script_runtime", "script_entrypoint"}:
        with _gathering(errors):
            _check_script(job, archive)
    if errors:
        raise ValidationError(errors)
    return secrets


def referring(value: Mapping[str, str] | Sequence[str] | None) -> Mapping[str, str]:
    """The values of a list are named by their places."""
    return value if isinstance(value, Mapping) else {str(place): text for place, text in enumerate(value or ())}


@contextlib.contextmanager
def _gathering(errors: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        error.update_error_dict(errors)


def _usable_secrets(job: CustomCheckJob, user: User | AnonymousUser) -> list[Secret]:
    found: list[Secret] = []
    errors: dict[str, str] = {}
    for field in REFERRING:
        try:
            found += references.validate(referring(getattr(job, field)), user=user)
        except references.InvalidReferences as error:
            errors |= {f"{field}.{key}": message for key, message in error.errors.items()}
    if errors:
        raise ValidationError(errors)
    return found


def _check_script(job: CustomCheckJob, archive: Archive | None) -> None:
    if archive is not None and job.script_source_type != SourceType.UPLOAD:
        raise ValidationError({"script": "A job that takes its script from Git has no upload."}, code="source_type")
    paths = _paths(job, archive)
    if paths is None or job.script_entrypoint in paths:
        return
    message = f"The script has no file {job.script_entrypoint!r}. Add it, or name the file that is to be run."
    raise ValidationError({"script_entrypoint": message}, code="entrypoint_missing")


def _paths(job: CustomCheckJob, archive: Archive | None) -> set[str] | None:
    """The files of the script that the job will run; None where that is not known yet."""
    if archive is not None:
        return {file.path for file in archive.files}
    if job.script_source_type != SourceType.UPLOAD or job.script_archive_id is None:
        return None
    files = ScriptArchive.objects.values_list("files", flat=True).get(pk=job.script_archive_id)
    return {path for path, _ in files}


def _finish(job: CustomCheckJob, secrets: list[Secret], *, archive: Archive | None, user: User | AnonymousUser) -> None:
    giver = user if isinstance(user, User) else None
    references.grant(secrets, job_kind=job.kind, job_id=job.pk, user=giver)
    if archive is not None:
        _store(job, archive)
    if not job.not_runnable():
        job.schedule()


def _store(job: CustomCheckJob, archive: Archive) -> None:
    stored, _ = (
        ScriptArchive.objects.select_for_update()
        .defer("content")
        .get_or_create(
            sha256=archive.sha256,
            defaults={"content": archive.content, "size": archive.size, "files": list(archive.files)},
        )
    )
    job.script_archive = stored
    job.script_file_path = f"{archive.sha256}.tgz"
    job.save(update_fields=["script_archive", "script_file_path"])


def _drop_unused(sha256: str | None) -> None:
    """The lock is also taken by who stores the same archive for another job, so neither misses the other."""
    stored = ScriptArchive.objects.select_for_update().defer("content").filter(pk=sha256).first()
    if stored is not None and not stored.jobs.exists():
        stored.delete()


def _locked(job: CustomCheckJob) -> CustomCheckJob:
    return cast(CustomCheckJob, CustomCheckJob.objects.select_for_update().get(pk=job.pk))
