"""``create update list show``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.support import choices, completion, declared_options, options, output, things
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.cli.support.exit_codes import Usage
from customchecks.cli.support.lazy_import import later
from customchecks.jobs.declared import JOB
from teckochecker.kit import declared

if TYPE_CHECKING:
    from customchecks.cli.support import lookups, shapes
    from customchecks.jobs import models, selection, service
    from polling.jobs import duplicate_names
else:
    service = later("customchecks.jobs.service")
    lookups = later("customchecks.cli.support.lookups")
    models = later("customchecks.jobs.models")
    selection = later("customchecks.jobs.selection")
    duplicate_names = later("polling.jobs.duplicate_names")
    shapes = later("customchecks.cli.support.shapes")

JOBS = things.Thing(
    called="job", listed_by="list", model=lambda: models.CustomCheckJob, shape=lambda job: shapes.job(job)
)
COLUMNS: Mapping[str, output.Column] = {
    "ID": "pk",
    "Name": "name",
    "Status": "status",
    "Last verdict": "last_check_status",
    "Last check": "last_check_at",
    "Next check": "next_check_at",
    "Interval": lambda job: f"{job.poll_interval_seconds} s",
    "Tags": lambda job: " ".join(job.tags) or None,
}

Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many.")]
Offset = Annotated[int, typer.Option(min=0, metavar="N", help="Leave out the first so many.")]
Status = Annotated[choices.Job | None, typer.Option(help="Only jobs of this status.")]
Runtime = Annotated[
    str | None,
    typer.Option("--runtime", metavar="RUNTIME", help="Only jobs of this runtime.", autocompletion=completion.runtimes),
]
Search = Annotated[str | None, typer.Option(metavar="TEXT", help="In the name, a tag, the repository or the webhook.")]
Order = Annotated[str, typer.Option("--order", metavar="FIELD", help="Such as name or -last_check_at.")]


@declared_options.setting(JOB, new=True)
def create(
    source: options.Source = None,
    given: Given = NONE,
    config: options.Config = None,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Create a job, due at once, and print its number.

    Values of --env can be seen in the process list: store them as secrets, or use --config -.

    \b
    Examples:
      manage.py customcheck create --name nightly --from ./checker --runtime python \\
          --param batch=b-17 --env API_KEY=secret_ref:gemini --interval 60
      manage.py customcheck create --name nightly --git-url https://git.example.com/team/checks.git \\
          --git-branch next --git-path nightly --git-token-secret git --runtime python
      manage.py customcheck create --config job.json --from checker.tgz --json
    """
    data = _definition(given, config=config, source=source)
    data.setdefault("script_source_type", models.SourceType.UPLOAD)
    if source is None and data["script_source_type"] == models.SourceType.UPLOAD:
        raise Usage("--from, --git-url: name the script's directory or .tgz, or its repository.")
    archive = options.read_archive(source) if source else None
    job = options.valid(lambda: service.create_job(data, archive=archive, user=lookups.acting_user(user)))
    JOBS.created(job, as_json=as_json)


@declared_options.setting(JOB)
def update(
    job: options.Job,
    source: options.Source = None,
    given: Given = NONE,
    config: options.Config = None,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Change what is named and nothing else; --config names every field.

    Parameters, variables, headers and limits are added to what the job has; --tag and --config replace.

    \b
    Examples:
      manage.py customcheck update nightly --interval 300 --param batch=b-18
      manage.py customcheck update nightly --git-commit 6a7e19c0d1f24f6b9d3f0a5c1b2e3d4f5a6b7c8d
      echo '{"env_vars": null, "tags": []}' | manage.py customcheck update nightly --config -
    """
    found = lookups.find_job(job)
    data = _definition(given, config=config, source=source, before=declared.values(found))
    archive = options.read_archive(source) if source else None
    options.valid(lambda: service.update_job(found, data, archive=archive, user=lookups.acting_user(user)))
    JOBS.tell(found, f"Updated job {found.pk}: {found.name}", as_json=as_json, warning=duplicate_names.warning(found))


def _definition(
    given: Given, *, config: str | None, source: Path | None, before: Mapping[str, Any] = NONE
) -> dict[str, Any]:
    """A job as the API takes it, of what was named; ``before`` is what entries are added to."""
    if given.get("git_url") and source:
        raise Usage("--from, --git-url: name one place that the script comes from.")
    from_git = {"script_source_type": models.SourceType.GIT.value} if given.get("git_url") else {}
    known = options.read_config(config)
    return {**declared_options.fields(models.CustomCheckJob, given, onto=known, before=before), **from_git}


def list_jobs(
    status: Status = None,
    runtime: Runtime = None,
    tag: options.OfTag = None,
    search: Search = None,
    order: Order = "id",
    limit: Limit = 100,
    offset: Offset = 0,
    as_json: options.Json = False,
) -> None:
    """List jobs, oldest first.

    \b
    Examples:
      manage.py customcheck list --status active --tag exports --order -last_check_at
      manage.py customcheck list --json | jq '.jobs[].name'
    """
    rows = models.CustomCheckJob.objects.all()
    found = options.valid(
        lambda: selection.ordered(
            selection.jobs(rows, status=status, runtime=runtime, tags=tag or (), search=search), order
        )
    )
    page = list(found[offset : offset + limit])
    if as_json:
        shown = [shapes.job(job) for job in page]
        output.document({"jobs": shown, "total": found.count(), "limit": limit, "offset": offset})
        return
    output.rows(COLUMNS, page)


def show(job: options.Job, as_json: options.Json = False) -> None:
    """Show everything that one job is set to and has done.

    \b
    Examples:
      manage.py customcheck show nightly
      manage.py customcheck show 7 --json
    """
    found = JOBS.find(job)
    JOBS.show(found, as_json=as_json)
    if not as_json and (reason := found.not_runnable()):
        output.say(reason)
