"""Jobs by their names: made or replaced as one, and copied."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from customchecks.archives.script_archive import Archive
from customchecks.images import runtimes
from customchecks.jobs import etags, service, versions
from customchecks.jobs.models import CustomCheckJob, ScriptVersion, SourceType
from teckochecker.kit import declared, strict_json

COPY = " (copy)"


class NameTaken(Exception):
    """Several jobs have the name. The message is safe to show."""


@dataclass(frozen=True)
class Put:
    """``action`` is created, updated or unchanged; ``changes`` are fields to what they were and are."""

    job: CustomCheckJob
    action: str
    changes: Mapping[str, tuple[Any, Any]]


def find(name: str) -> CustomCheckJob | None:
    """Raises NameTaken."""
    return _only(CustomCheckJob.objects.all(), name)


def _only(rows: Any, name: str) -> CustomCheckJob | None:
    found = list(rows.filter(name=strict_json.storable(name)).order_by("pk")[:5])
    if len(found) > 1:
        ids = ", ".join(str(job.pk) for job in found)
        raise NameTaken(f"Several jobs are named {name!r}: say which by number, of {ids}.")
    return cast(CustomCheckJob, found[0]) if found else None


def put(
    name: str,
    data: Mapping[str, Any],
    *,
    archive: Archive | None = None,
    user: User,
    match: str | None = None,
    only_new: bool = False,
) -> Put:
    """The job of this name is exactly what ``data`` says, with the defaults for what it does not name.

    Without an archive a script that was uploaded stays. Of several who do this at once the later ones see what the
    first one made. Raises ValidationError, NameTaken, ChangedMeanwhile.
    """
    service.foresee(CustomCheckJob(), _complete(name, data), archive)
    return _put(name, data, archive, user, match, only_new)


@transaction.atomic
def _put(
    name: str, data: Mapping[str, Any], archive: Archive | None, user: User, match: str | None, only_new: bool
) -> Put:
    hold([name])
    job = _only(CustomCheckJob.objects.select_for_update(), name)  # who changes it by its number waits
    if job is None:
        if match is not None:
            raise etags.ChangedMeanwhile
        return _created(name, data, archive, user)
    if only_new:
        raise etags.ChangedMeanwhile(f"There is a job named {name!r} already: {job.pk}.")
    etags.check(job, match)
    return _updated(job, _complete(name, data), archive, user)


def clone(job: CustomCheckJob, *, name: str | None, user: User) -> CustomCheckJob:
    """A job with the same definition and the script that runs now, paused, so that it can be changed first.

    Raises ValidationError.
    """
    data = declared.values(job)
    longest = CustomCheckJob._meta.get_field("name").max_length or 0
    data["name"] = f"{job.name[: longest - len(COPY)]}{COPY}" if name is None else name
    version = running_version(job)
    archive = version.stored_archive() if version else None
    service.foresee(CustomCheckJob(), data, archive)
    with transaction.atomic():
        made = service.create_job(data, archive=archive, user=user)
        made.pause()
    return made


def running_version(job: CustomCheckJob) -> ScriptVersion | None:
    """Of a script that was uploaded; None where it comes from elsewhere, or is still to come."""
    if job.script_source_type != SourceType.UPLOAD:
        return None
    return versions.pinned(job) or versions.newest(job)


def hold(names: Iterable[str]) -> None:
    """Until the transaction ends, always in the same order. SQLite has one writer anyhow."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for name in sorted(names):
            key = f"custom check {strict_json.storable(name)}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _created(name: str, data: Mapping[str, Any], archive: Archive | None, user: User) -> Put:
    job = service.create_job({**data, "name": name}, archive=archive, user=user)
    return Put(job, "created", {field: (None, getattr(job, field)) for field in data if field in job.declared})


def _updated(job: CustomCheckJob, wanted: Mapping[str, Any], archive: Archive | None, user: User) -> Put:
    """Fields that do not exist are among the changed ones: they are refused where everything is."""
    changed = {field: value for field, value in wanted.items() if _differs(job, field, value)}
    changes = {field: (getattr(job, field, None), value) for field, value in changed.items()}
    newest = versions.newest(job)
    if archive is not None and (newest is None or newest.archive_id != archive.sha256):
        changes["script"] = (newest.archive_id if newest else None, archive.sha256)
    if not changes:
        return Put(job, "unchanged", {})
    service.update_job(job, changed, archive=archive if "script" in changes else None, user=user)
    return Put(job, "updated", changes)


def _complete(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {**declared.defaults(CustomCheckJob), **data, "name": name}
    if wanted["script_entrypoint"] == "":
        wanted["script_entrypoint"] = runtimes.default_entrypoint(wanted["script_runtime"])
    return wanted


def _differs(job: CustomCheckJob, field: str, value: Any) -> bool:
    """As JSON, because 1 and true are equal in Python."""
    if field not in job.declared:
        return True
    try:
        return json.dumps(getattr(job, field), sort_keys=True) != json.dumps(value, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValidationError({field: "This is no JSON."}) from error
