"""Jobs as a document, to be kept, reviewed and carried elsewhere: definitions, without state, scripts or secrets.

Secrets are named and never written out. A job in a document is the job of its name, wherever it is read.
"""

import fcntl
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from customchecks.archives.script_archive import Archive
from customchecks.jobs import by_name, service
from customchecks.jobs.by_name import NameTaken, Put
from customchecks.jobs.models import CustomCheckJob
from secrets_app import references
from secrets_app.models import Secret
from teckochecker.kit import declared
from teckochecker.kit.spelling import no_such_field

VERSION = 1
MOST_JOBS = 500
MOST_FIELDS = 100  # of a job: each one that there is not is answered by its name
ALWAYS = ("name", "script_source_type", "script_runtime")
HEADER = "teckochecker"
TURNS = "import.lock"
# Longer than SQLite's writers wait between two looks at whether they may write
PAUSE_SECONDS = 0.2

_NUMBER = re.compile(re.escape(references.PREFIX) + "([1-9][0-9]{0,17})(?![0-9])")


def exported(rows: Iterable[CustomCheckJob], *, user: User) -> dict[str, Any]:
    """What differs from the defaults. Numbers of secrets become names where the user may see them."""
    found = list(rows)
    names = _names(found) if user.has_perm("secrets_app.view_secret") else {}
    return {HEADER: VERSION, "jobs": [_shown(job, names) for job in found]}


def imported(
    document: Any, *, user: User, scripts: Mapping[str, Archive] | None = None, dry_run: bool = False
) -> list[Put]:
    """All jobs of the document, made or replaced by name, or none. ``scripts`` are by the jobs' names.

    Raises ValidationError, by ``jobs[3].poll_interval_seconds``.
    """
    entries = _entries(document)
    for entry in entries:
        service.foresee(CustomCheckJob(), entry, (scripts or {}).get(entry["name"]))
    done: list[Put] = []
    errors: dict[str, Any] = {}
    with _in_turn(), transaction.atomic():
        by_name.hold(entry["name"] for entry in entries)
        for place, entry in enumerate(entries):
            try:
                done.append(_put(entry, user=user, scripts=scripts or {}))
            except ValidationError as error:
                errors |= {f"jobs[{place}].{field}": texts for field, texts in error.message_dict.items()}
            except NameTaken as error:
                errors[f"jobs[{place}].name"] = [str(error)]
        if errors:
            raise ValidationError(errors)
        if dry_run:
            transaction.set_rollback(True)
    return done


@contextmanager
def _in_turn() -> Iterator[None]:
    """SQLite has one writer, which an import is for seconds: between two of them everybody else may write."""
    if connection.vendor != "sqlite":
        yield
        return
    with (settings.TECKO_HOME / TURNS).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        time.sleep(PAUSE_SECONDS)


def _put(entry: Mapping[str, Any], *, user: User, scripts: Mapping[str, Archive]) -> Put:
    name = entry["name"]
    data = {field: value for field, value in entry.items() if field != "name"}
    return by_name.put(name, data, archive=scripts.get(name), user=user)


def _entries(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict) or not isinstance(document.get("jobs"), list):
        raise ValidationError({"jobs": "A list of jobs is wanted here."})
    if odd := sorted(document.keys() - {HEADER, "jobs"}):
        raise ValidationError({odd[0]: no_such_field(odd[0], (HEADER, "jobs"))})
    version = document.get(HEADER, VERSION)
    if type(version) is not int or version != VERSION:
        raise ValidationError({HEADER: f"This document is not of version {VERSION}."})
    entries: list[dict[str, Any]] = document["jobs"]
    if len(entries) > MOST_JOBS:
        raise ValidationError({"jobs": f"At most {MOST_JOBS} jobs at once are possible."})
    errors = {f"jobs[{place}]": fault for place, entry in enumerate(entries) if (fault := _fault(entry))}
    if errors:
        raise ValidationError(errors)
    names = [entry["name"] for entry in entries]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValidationError({"jobs": f"The name {min(twice)!r} is there twice."})
    return entries


def _fault(entry: Any) -> str:
    if not isinstance(entry, dict) or len(entry) > MOST_FIELDS:
        return f"The fields of a job are wanted here, at most {MOST_FIELDS}."
    return "" if isinstance(entry.get("name"), str) else "A job needs a name, as a text."


def _shown(job: CustomCheckJob, names: Mapping[int, str]) -> dict[str, Any]:
    defaults = declared.defaults(job)
    held = declared.values(job)
    held |= {field: _renamed(held[field], names) for field in job.declared.holding()}
    return {field: value for field, value in held.items() if field in ALWAYS or value != defaults[field]}


def _renamed(value: Any, names: Mapping[int, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return _by_name(value, names) if isinstance(value, str) and references.PREFIX in value else value


def _by_name(text: str, names: Mapping[int, str]) -> str:
    pieces, position = [], 0
    for reference in _references(text):
        named = names.get(reference.id or 0)
        pieces += [text[position : reference.start], f"{references.PREFIX}{named or reference.token}"]
        position = reference.end
    return "".join([*pieces, text[position:]])


def _references(text: str) -> list[references.Reference]:
    try:
        return references.find(text)
    except references.ReferenceError_:  # of a name that cannot be referred to
        return []


def _names(rows: Iterable[CustomCheckJob]) -> dict[int, str]:
    """Of the secrets that are referred to by number and can be by name."""
    written = json.dumps([[getattr(job, field) for field in job.declared.holding()] for job in rows])
    numbers = {int(word) for word in _NUMBER.findall(written)}
    secrets = Secret.objects.filter(pk__in=numbers)
    return {secret.pk: secret.name for secret in secrets if _can_be_named(secret.name)}


def _can_be_named(name: str) -> bool:
    found = _references(f"{references.PREFIX}{name}")
    return len(found) == 1 and found[0].token == name
