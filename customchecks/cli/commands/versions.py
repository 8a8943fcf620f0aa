"""``versions rollback pin unpin upload-script validate``."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.support import declared_options, options, output
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.cli.support.exit_codes import Failed, Invalid
from customchecks.cli.support.lazy_import import later
from customchecks.jobs.declared import JOB

if TYPE_CHECKING:
    from django.core import exceptions

    from customchecks.api import serializers
    from customchecks.archives import script_archive
    from customchecks.cli.support import lookups
    from customchecks.dependencies import detection
    from customchecks.git import connection, process, repositories
    from customchecks.images import runtimes
    from customchecks.jobs import fields, models, service
    from customchecks.jobs import versions as script_versions
    from customchecks.manifests import manifest
else:
    script_archive = later("customchecks.archives.script_archive")
    connection = later("customchecks.git.connection")
    detection = later("customchecks.dependencies.detection")
    exceptions = later("django.core.exceptions")
    fields = later("customchecks.jobs.fields")
    process = later("customchecks.git.process")
    service = later("customchecks.jobs.service")
    lookups = later("customchecks.cli.support.lookups")
    manifest = later("customchecks.manifests.manifest")
    models = later("customchecks.jobs.models")
    repositories = later("customchecks.git.repositories")
    runtimes = later("customchecks.images.runtimes")
    script_versions = later("customchecks.jobs.versions")
    serializers = later("customchecks.api.serializers")

COLUMNS = ("Version", "Stored", "By", "Revision", "Size", "Files", "Runs")

Number = Annotated[int, typer.Argument(metavar="VERSION", min=1, max=2**31 - 1, help="The version's number.")]
AnyNumber = Annotated[
    int | None, typer.Argument(metavar="VERSION", min=1, max=2**31 - 1, help="[default: what runs now]")
]
Path_ = Annotated[Path, typer.Argument(metavar="PATH", help="A directory or a .tgz with the script.")]
Place = Annotated[str, typer.Argument(metavar="PATH|URL", help="A directory, a .tgz, or a public repository's URL.")]
Branch = Annotated[
    str, typer.Option("--branch", "--git-branch", metavar="NAME", help="The repository's branch or tag.")
]
Commit = Annotated[
    str | None,
    typer.Option("--commit", "--git-commit", metavar="SHA", help="This commit instead of a branch's newest."),
]
SourceBuilds = Annotated[bool, typer.Option("--source-builds", help="Packages may be built from source.")]
Folder = Annotated[
    str | None, typer.Option("--path", "--git-path", metavar="FOLDER", help="A folder of the repository.")
]


def versions(job: options.Job, as_json: options.Json = False) -> None:
    """List the versions of a job's script, the newest first.

    \b
    Example:
      manage.py customcheck versions nightly
    """
    found = lookups.find_job(job)
    current = script_versions.pinned(found) or script_versions.newest(found)
    rows = found.versions.select_related("job", "created_by", "archive").defer("archive__content")
    if as_json:
        output.document({"versions": serializers.VersionSerializer(rows, many=True).data, "total": rows.count()})
    else:
        output.table(COLUMNS, [_row(row, current) for row in rows])


def rollback(job: options.Job, version: Number, user: options.User = None, as_json: options.Json = False) -> None:
    """Run an older version of the script from the next check on.

    The job stays with it until it is unpinned, whatever is pushed or uploaded.

    \b
    Example:
      manage.py customcheck rollback nightly 3
    """
    pin(job, version, user, as_json)


def pin(job: options.Job, version: AnyNumber = None, user: options.User = None, as_json: options.Json = False) -> None:
    """Stay with one version of the script.

    \b
    Examples:
      manage.py customcheck pin nightly
      manage.py customcheck pin nightly 3
    """
    found = lookups.find_job(job)
    pinned = options.valid(lambda: service.pin_version(found, version, user=lookups.acting_user(user)))
    output.say(f"Job {found.pk} ({found.name}) stays with version {pinned.number}.")
    _document(pinned, as_json=as_json)


def unpin(job: options.Job, user: options.User = None) -> None:
    """Follow the branch, or the newest upload, again.

    \b
    Example:
      manage.py customcheck unpin nightly
    """
    found = lookups.find_job(job)
    options.valid(lambda: service.unpin_version(found, user=lookups.acting_user(user)))
    output.say(f"Job {found.pk} ({found.name}) follows its newest script.")


def upload_script(job: options.Job, path: Path_, user: options.User = None, as_json: options.Json = False) -> None:
    """Give a job a new version of its script.

    \b
    Example:
      manage.py customcheck upload-script nightly ./checker
    """
    found = lookups.find_job(job)
    archive = options.read_archive(path)
    options.valid(lambda: service.store_script(found, archive, user=lookups.acting_user(user)))
    stored = found.versions.select_related("job", "archive").latest("number")
    held = f"; it stays with version {found.script_version_pin}" if found.script_version_pin else ""
    output.say(f"Job {found.pk} ({found.name}) has version {stored.number}{held}.")
    _document(stored, as_json=as_json)


@declared_options.setting(JOB.only("script_runtime", "script_entrypoint"), new=True)
def validate(
    place: Place,
    given: Given = NONE,
    branch: Branch = "main",
    commit: Commit = None,
    path: Folder = None,
    source_builds: SourceBuilds = False,
    as_json: options.Json = False,
) -> None:
    """Tell whether a script would be accepted, without storing or running it. Needs no engine.

    \b
    Examples:
      manage.py customcheck validate ./checker --runtime node
      manage.py customcheck validate https://git.example.com/team/checks.git --path nightly
    """
    chosen = given.get("runtime") or runtimes.DEFAULTS[0]
    options.valid(lambda: fields.runtime(chosen), field="script_runtime")
    wanted = given.get("entrypoint") or runtimes.default_entrypoint(chosen)
    options.valid(lambda: fields.entrypoint(chosen, wanted), field="script_entrypoint")
    archive, notes = _of_repository(place, branch, commit, path) if "://" in place else (_of_path(place), ())
    if not archive.has(wanted):
        raise Invalid(f"script_entrypoint (--entrypoint): {place} has no file {wanted!r}.")
    use = detection.ScriptUse(runtime=chosen, entrypoint=wanted, source_builds=source_builds)
    manifest = _manifest(archive, use)
    for note in notes:
        output.say(note)
    output.say(f"Dependencies: {manifest or 'none are named'}")
    if as_json:
        listed = [{"path": path, "size": size} for path, size in archive.files]
        known = {"sha256": archive.sha256, "size": archive.size, "dependencies": manifest}
        output.document(known | {"files": listed, "notes": notes})
    else:
        output.table(("File", "Bytes"), archive.files)


def _manifest(archive: "script_archive.Archive", use: "detection.ScriptUse") -> str | None:
    """The file that counts."""
    try:
        found = detection.judge(archive, use)
    except manifest.ManifestRefused as error:
        raise Invalid(f"script: {error}") from None
    return found.manifest if found else None


def _of_path(place: str) -> "script_archive.Archive":
    return options.read_archive(Path(place))


def _of_repository(
    url: str, branch: str, commit: str | None, path: str | None
) -> "tuple[script_archive.Archive, tuple[str, ...]]":
    options.valid(lambda: fields.git_branch(branch), field="script_git_branch")
    if commit is not None:
        options.valid(lambda: fields.git_commit(commit), field="script_git_commit")
    if path is not None:
        options.valid(lambda: fields.git_path(path), field="script_git_path")
    with tempfile.TemporaryDirectory() as folder:
        store = repositories.Repositories.from_settings(folder=Path(folder))
        remote = connection.Remote(url=url)
        try:
            found = store.checkout(remote, commit=commit or store.commit_of(remote, branch), path=path or "")
        except process.GitFailed as error:
            raise Failed(str(error)) from None
        except script_archive.ArchiveRejected as error:
            raise Invalid(str(error)) from None
    output.say(f"Commit {found.commit}")
    return found.archive, found.notes


def _row(version: "models.ScriptVersion", current: "models.ScriptVersion | None") -> tuple[Any, ...]:
    runs = "" if current is None or version.number != current.number else "now"
    if version.number == version.job.script_version_pin:
        runs = "pinned"
    by = version.created_by.username if version.created_by else None
    size, files = version.archive.size, len(version.archive.files)
    return version.number, version.created_at, by, version.revision[:12], size, files, runs


def _document(version: "models.ScriptVersion", *, as_json: bool) -> None:
    if as_json:
        output.document(serializers.VersionSerializer(version).data)
    else:
        output.text(str(version.number))
