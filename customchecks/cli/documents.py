"""``export apply clone``: jobs as documents, and copies."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from django.core.exceptions import ValidationError

from customchecks import documents, naming, portable, selection
from customchecks.api.many import put_shape
from customchecks.archives import Archive
from customchecks.cli import options, output, shapes
from customchecks.cli.endings import Invalid, NotFound
from customchecks.cli.lookups import acting_user, find_job
from customchecks.models import CustomCheckJob
from customchecks.naming import Put

COLUMNS = ("Action", "Job", "Change")

File = Annotated[str, typer.Option("--file", "-f", metavar="FILE", help="A document of jobs; - for stdin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Scripts = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Also write each uploaded script into it.")]
NewName = Annotated[str | None, typer.Option("--name", help='The new job\'s name.  [default: with "(copy)"]')]


def export(
    job: options.Jobs = None,
    tag: options.OfTag = None,
    scripts: Scripts = None,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Print jobs as a document that apply reads: all, some, or those with a tag.

    It has what differs from the defaults, with secrets by name and never their values.

    \b
    Examples:
      manage.py customcheck export > jobs.yaml
      manage.py customcheck export --tag exports --scripts ./scripts > jobs.yaml
    """
    rows = CustomCheckJob.objects.order_by("pk")
    if job:
        rows = rows.filter(pk__in=[find_job(word).pk for word in job])
    found = list(options.valid(lambda: selection.jobs(rows, tags=tag or ())))
    document = portable.exported(found, user=acting_user(user))
    if scripts is not None:
        _write_scripts(found, document["jobs"], scripts)
    if as_json:
        output.document(document)
    else:
        sys.stdout.write(documents.written(document, ascii_only=sys.stdout.isatty()))


def apply(file: File, dry_run: DryRun = False, user: options.User = None, as_json: options.Json = False) -> None:
    """Make or replace the jobs of a document, by their names: all of it or nothing.

    A job may name its script, a directory or a .tgz beside the document: script: ./checker. Jobs that are not in the
    document stay.

    \b
    Examples:
      manage.py customcheck apply -f jobs.yaml --dry-run
      manage.py customcheck apply -f jobs.yaml
    """
    document, folder = _read(file)
    archives = _scripts(document, folder)
    try:
        done = portable.imported(document, user=acting_user(user), scripts=archives, dry_run=dry_run)
    except ValidationError as error:
        raise Invalid.of(error) from None
    if as_json:
        output.document({"dry_run": dry_run, "results": [put_shape(put, dry_run) for put in done]})
    else:
        output.table(COLUMNS, [row for put in done for row in _rows(put)])
    changed = sum(put.action != "unchanged" for put in done)
    output.say(f"{changed} of {len(done)} jobs {'would change' if dry_run else 'changed'}.")


def clone(job: options.Job, name: NewName = None, user: options.User = None, as_json: options.Json = False) -> None:
    """Copy a job with its script, paused, and print the copy's number.

    \b
    Example:
      manage.py customcheck clone nightly --name weekly
    """
    try:
        made = naming.clone(find_job(job), name=name, user=acting_user(user))
    except ValidationError as error:
        raise Invalid.of(error) from None
    output.say(f"Created job {made.pk}: {made.name}, paused")
    if as_json:
        output.document(shapes.job(made))
    else:
        output.text(str(made.pk))


def _read(file: str) -> tuple[Any, Path]:
    """The document, and the folder that its scripts are named from."""
    try:
        content = sys.stdin.buffer.read(documents.MOST_BYTES + 1) if file == "-" else Path(file).read_bytes()
        return documents.read(content), Path() if file == "-" else Path(file).parent
    except FileNotFoundError:
        raise NotFound(f"There is no file {file} (--file).") from None
    except OSError as error:
        raise Invalid(f"--file: {file} cannot be read: {error.strerror}.") from None
    except documents.NotUsable as error:
        raise Invalid(f"--file: {file} is not YAML that can be used: {error}.") from None


def _scripts(document: Any, folder: Path) -> dict[str, Archive]:
    """By the jobs' names; takes them out of the document. What else is wrong is said where all of it is."""
    entries = document.get("jobs") if isinstance(document, dict) else None
    found: dict[str, Archive] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(place := entry.get("script"), str):
            del entry["script"]
            found[str(entry.get("name"))] = options.read_archive(folder / place)
    return found


def _write_scripts(jobs: list[CustomCheckJob], entries: list[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for job, entry in zip(jobs, entries, strict=True):
        version = naming.running_version(job)
        if version is not None:
            path = folder / f"{job.pk}-{re.sub('[^A-Za-z0-9_.-]', '_', job.name)[:60]}.tgz"
            path.write_bytes(version.stored_archive().content)
            entry["script"] = str(path)


def _rows(put: Put) -> list[tuple[object, ...]]:
    changes = _changes(put.changes) if put.action == "updated" else [""]
    return [(put.action, put.job.name, change) for change in changes]


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    return [f"{field}: {output.cell(before)} -> {output.cell(after)}" for field, (before, after) in changes.items()]
