"""``export apply clone``: jobs as documents, and copies."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.commands.jobs import JOBS
from customchecks.cli.support import options, output
from customchecks.cli.support.exit_codes import Invalid, NotFound
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.api import serializers
    from customchecks.archives import script_archive
    from customchecks.cli.support import lookups
    from customchecks.jobs import by_name, models, selection
    from customchecks.jobs import export as job_documents
    from teckochecker.kit import safe_yaml
else:
    script_archive = later("customchecks.archives.script_archive")
    safe_yaml = later("teckochecker.kit.safe_yaml")
    lookups = later("customchecks.cli.support.lookups")
    serializers = later("customchecks.api.serializers")
    models = later("customchecks.jobs.models")
    by_name = later("customchecks.jobs.by_name")
    job_documents = later("customchecks.jobs.export")
    selection = later("customchecks.jobs.selection")

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
    rows = models.CustomCheckJob.objects.order_by("pk")
    if job:
        rows = rows.filter(pk__in=[lookups.find_job(word).pk for word in job])
    found = list(options.valid(lambda: selection.jobs(rows, tags=tag or ())))
    document = job_documents.exported(found, user=lookups.acting_user(user))
    if scripts is not None:
        _write_scripts(found, document["jobs"], scripts)
    if as_json:
        output.document(document)
    else:
        sys.stdout.write(safe_yaml.written(document, ascii_only=sys.stdout.isatty()))


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
    found = _scripts(document, folder)
    acting = lookups.acting_user(user)
    done = options.valid(lambda: job_documents.imported(document, user=acting, scripts=found, dry_run=dry_run))
    if as_json:
        output.document({"dry_run": dry_run, "results": [serializers.put_shape(put, dry_run) for put in done]})
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
    found = lookups.find_job(job)
    made = options.valid(lambda: by_name.clone(found, name=name, user=lookups.acting_user(user)))
    JOBS.created(made, as_json=as_json, note=", paused")


def _read(file: str) -> tuple[Any, Path]:
    """The document, and the folder that its scripts are named from."""
    try:
        content = sys.stdin.buffer.read(safe_yaml.MOST_BYTES + 1) if file == "-" else Path(file).read_bytes()
        return safe_yaml.read(content), Path() if file == "-" else Path(file).parent
    except FileNotFoundError:
        raise NotFound(f"There is no file {file} (--file).") from None
    except OSError as error:
        raise Invalid(f"--file: {file} cannot be read: {error.strerror}.") from None
    except safe_yaml.NotUsable as error:
        raise Invalid(f"--file: {file} is not YAML that can be used: {error}.") from None


def _scripts(document: Any, folder: Path) -> "dict[str, script_archive.Archive]":
    """By the jobs' names; takes them out of the document. What else is wrong is said where all of it is."""
    entries = document.get("jobs") if isinstance(document, dict) else None
    found: dict[str, script_archive.Archive] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(place := entry.get("script"), str):
            del entry["script"]
            found[str(entry.get("name"))] = options.read_archive(folder / place)
    return found


def _write_scripts(jobs: "list[models.CustomCheckJob]", entries: list[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for job, entry in zip(jobs, entries, strict=True):
        version = by_name.running_version(job)
        if version is not None:
            path = folder / f"{job.pk}-{re.sub('[^A-Za-z0-9_.-]', '_', job.name)[:60]}.tgz"
            path.write_bytes(version.stored_archive().content)
            entry["script"] = str(path)


def _rows(put: "by_name.Put") -> list[tuple[object, ...]]:
    changes = _changes(put.changes) if put.action == "updated" else [""]
    return [(put.action, put.job.name, change) for change in changes]


def _changes(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    return [f"{field}: {output.cell(before)} -> {output.cell(after)}" for field, (before, after) in changes.items()]
