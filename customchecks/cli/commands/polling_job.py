"""``customcheck polling-job create list show pause resume delete``: jobs that watch OpenAI batches."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.support import choices, completion, declared_options, options, output, things
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.cli.support.exit_codes import NotFound, failing
from customchecks.cli.support.lazy_import import later
from polling.openai.declared import OPENAI, TOLD

if TYPE_CHECKING:
    from customchecks.cli.support import lookups
    from polling.jobs import scheduling
    from polling.openai import batches, models, service
    from polling.site import openai_serializers
    from secrets_app import models as secrets
else:
    batches = later("polling.openai.batches")
    service = later("polling.openai.service")
    openai_serializers = later("polling.site.openai_serializers")
    lookups = later("customchecks.cli.support.lookups")
    models = later("polling.openai.models")
    scheduling = later("polling.jobs.scheduling")
    secrets = later("secrets_app.models")

POLLING_JOBS = things.Thing(
    called="polling job",
    listed_by="polling-job list",
    model=lambda: models.PollingJob,
    shape=lambda job: dict(openai_serializers.PollingJobSerializer(job).data),
)
COLUMNS: Mapping[str, output.Column] = {
    "ID": "pk",
    "Name": "name",
    "Status": "status",
    "Batches": lambda job: len(job.batches.all()),
    "Ended": lambda job: sum(batch.status in batches.FINAL for batch in job.batches.all()),
    "Last check": "last_check_at",
    "Next check": "next_check_at",
}

BatchIds = Annotated[list[str], typer.Option("--batch", metavar="ID", help="An OpenAI batch. Repeatable, at most 10.")]
OpenAISecret = Annotated[str, typer.Option(metavar="SECRET", help="Number or name of the OpenAI secret.")]
KeboolaSecret = Annotated[str | None, typer.Option(metavar="SECRET", help="Number or name of the Keboola secret.")]
Stack = Annotated[str | None, typer.Option(metavar="URL", help="Such as https://connection.keboola.com.")]
Component = Annotated[str | None, typer.Option(metavar="ID", help="The component that Keboola is to run.")]
Configuration = Annotated[str | None, typer.Option(metavar="ID", help="Its configuration.")]
Interval = Annotated[int, typer.Option(metavar="S", help="Seconds between checks, 30 to 3600.")]
Status = Annotated[choices.PollingJob | None, typer.Option(help="Only jobs of this status.")]
Logs = Annotated[int, typer.Option("--logs", min=0, max=500, metavar="N", help="So many of its newest logs.")]
Target = Annotated[
    str, typer.Argument(metavar="JOB", help="The job's number or name.", autocompletion=completion.polling_jobs)
]


OPTIONS = OPENAI.options()


@declared_options.setting(TOLD, new=True)
def create(
    name: Annotated[str, typer.Option(help="The job's name.")],
    batch: BatchIds,
    openai_secret: OpenAISecret,
    given: Given = NONE,
    keboola_secret: KeboolaSecret = None,
    stack_url: Stack = None,
    component: Component = None,
    configuration: Configuration = None,
    interval: Interval = 120,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Create a job, due at once, and print its number.

    When all batches have ended, the webhook is called. With the four options of Keboola, which go together, a Keboola
    job is started, beside the webhook or instead of it.

    \b
    Example:
      manage.py customcheck polling-job create --name nightly --batch batch_abc --batch batch_def \\
          --openai-secret openai --webhook-url https://hooks.example.com/batches
      manage.py customcheck polling-job create --name nightly --batch batch_abc \\
          --openai-secret openai --keboola-secret keboola --stack-url https://connection.keboola.com \\
          --component kds-team.app-x --configuration 12345
    """
    data = {
        "name": name,
        "keboola_stack_url": stack_url,
        "keboola_component_id": component,
        "keboola_configuration_id": configuration,
        "poll_interval_seconds": interval,
        "keboola_secret_id": _secret_id(keboola_secret) if keboola_secret else None,
        **declared_options.fields(models.PollingJob, given, onto={}),
    }
    openai = _secret_id(openai_secret)
    try:
        job = options.valid(
            lambda: service.create_job(data, batch_ids=batch, openai_secret_id=openai, user=lookups.acting_user(user)),
            names=OPTIONS,
        )
    except service.SecretUnknown as error:
        raise NotFound(str(error)) from None
    POLLING_JOBS.created(job, as_json=as_json)


def list_jobs(status: Status = None, as_json: options.Json = False) -> None:
    """List polling jobs, newest first.

    \b
    Example:
      manage.py customcheck polling-job list --status active
    """
    rows: Any = models.PollingJob.objects.filter(**({"status": status} if status else {})).order_by(
        "-created_at", "-id"
    )
    rows = rows.select_related("openai_secret", "keboola_secret").prefetch_related("batches")
    if as_json:
        shown = openai_serializers.PollingJobSerializer(rows, many=True).data
        output.document({"jobs": shown, "total": len(shown)})
    else:
        output.rows(COLUMNS, rows)


def show(job: Target, logs: Logs = 0, as_json: options.Json = False) -> None:
    """Show one polling job with its batches, and its newest logs.

    \b
    Example:
      manage.py customcheck polling-job show nightly --logs 20
    """
    found = POLLING_JOBS.find(job)
    newest = found.logs.order_by("-created_at", "-id")[:logs]
    more = {"logs": openai_serializers.PollingLogSerializer(newest, many=True).data} if logs else {}
    POLLING_JOBS.show(found, as_json=as_json, **more)


def pause(job: Target, as_json: options.Json = False) -> None:
    """Ask about no batch until the job is resumed.

    \b
    Example:
      manage.py customcheck polling-job pause nightly
    """
    _move(job, models.PollingJob.pause, as_json=as_json)


def resume(job: Target, as_json: options.Json = False) -> None:
    """Ask about a paused job's batches again, now and by its interval.

    \b
    Example:
      manage.py customcheck polling-job resume nightly
    """
    _move(job, models.PollingJob.resume, as_json=as_json)


def delete(job: Target, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete a polling job with its logs. A Keboola job that is owed is not started any more.

    \b
    Example:
      manage.py customcheck polling-job delete nightly --yes
    """
    found = POLLING_JOBS.find(job)
    along = f" and its {found.logs.count()} logs"
    POLLING_JOBS.delete(found, service.delete_job, yes=yes, as_json=as_json, along=along)


def _secret_id(word: str) -> int:
    """Whether it may be used is decided where the job is created."""
    if word.isdecimal():
        return min(int(word), choices.LARGEST_ID)
    secret = secrets.Secret.objects.filter(name=word).first()
    if secret is None:
        raise NotFound(f"There is no secret {word!r}. See: manage.py customcheck secret list")
    return secret.pk


def _move(word: str, transition: "Callable[[models.PollingJob], None]", *, as_json: bool) -> None:
    job = POLLING_JOBS.find(word)
    with failing(scheduling.TransitionRefused):
        transition(job)
    POLLING_JOBS.tell(job, f"Polling job {job.pk} ({job.name}) is {job.status}.", as_json=as_json)


COMMANDS = (
    (create, "create"),
    (list_jobs, "list"),
    (show, "show"),
    (pause, "pause"),
    (resume, "resume"),
    (delete, "delete"),
)
