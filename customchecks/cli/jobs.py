"""``create list show pause resume restart delete``."""

import sys
from collections.abc import Callable
from typing import Annotated, cast

import typer
from django.core.exceptions import ValidationError

from customchecks import jobs
from customchecks.cli import options, output, shapes
from customchecks.cli.endings import Failed, Invalid, Usage
from customchecks.cli.lookups import acting_user, find_job
from customchecks.models import CustomCheckJob, SourceType
from polling.scheduling import JobStatus, TransitionRefused

COLUMNS = ("ID", "Name", "Status", "Last verdict", "Last check", "Next check", "Interval")

Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many.")]
Offset = Annotated[int, typer.Option(min=0, metavar="N", help="Leave out the first so many.")]
Status = Annotated[JobStatus | None, typer.Option(help="Only jobs of this status.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def create(
    name: options.Name = None,
    source: options.Source = None,
    runtime: options.Runtime = None,
    entrypoint: options.Entrypoint = None,
    param: options.Param = None,
    env: options.Env = None,
    interval: options.Interval = None,
    timeout: options.Timeout = None,
    memory: options.Memory = None,
    cpu: options.Cpu = None,
    webhook_url: options.WebhookUrl = None,
    webhook_method: options.WebhookMethod = None,
    webhook_header: options.WebhookHeader = None,
    deadline: options.Deadline = None,
    max_checks: options.MaxChecks = None,
    max_errors: options.MaxErrors = None,
    alert_after: options.AlertAfter = None,
    alert_url: options.AlertUrl = None,
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
      manage.py customcheck create --config job.json --from checker.tgz --json
    """
    data = options.definition(
        config=config,
        param=param,
        env=env,
        webhook_header=webhook_header,
        memory=memory,
        cpu=cpu,
        name=name,
        script_runtime=runtime,
        script_entrypoint=entrypoint,
        poll_interval_seconds=interval,
        timeout_seconds=timeout,
        webhook_url=webhook_url,
        webhook_method=webhook_method,
        deadline_seconds=deadline,
        max_checks=max_checks,
        max_consecutive_errors=max_errors,
        alert_after_errors=alert_after,
        alert_url=alert_url,
    )
    data.setdefault("script_source_type", SourceType.UPLOAD)
    if source is None and data["script_source_type"] == SourceType.UPLOAD:
        raise Usage("--from: name the script's directory or .tgz.")
    archive = options.read_archive(source) if source else None
    try:
        job = jobs.create_job(data, archive=archive, user=acting_user(user))
    except ValidationError as error:
        raise Invalid.of(error) from None
    output.say(f"Created job {job.pk}: {job.name}")
    if as_json:
        output.document(shapes.job(job))
    else:
        output.text(str(job.pk))


def list_jobs(status: Status = None, limit: Limit = 100, offset: Offset = 0, as_json: options.Json = False) -> None:
    """List jobs, oldest first.

    \b
    Examples:
      manage.py customcheck list --status active
      manage.py customcheck list --json | jq '.jobs[].name'
    """
    found = CustomCheckJob.objects.filter(**({"status": status} if status else {}))
    page = cast(list[CustomCheckJob], list(found.order_by("id")[offset : offset + limit]))
    if as_json:
        shown = [shapes.job(job) for job in page]
        output.document({"jobs": shown, "total": found.count(), "limit": limit, "offset": offset})
        return
    output.table(COLUMNS, [_row(job) for job in page])


def show(job: options.Job, as_json: options.Json = False) -> None:
    """Show everything that one job is set to and has done.

    \b
    Examples:
      manage.py customcheck show nightly
      manage.py customcheck show 7 --json
    """
    shown = shapes.job(find_job(job))
    if as_json:
        output.document(shown)
    else:
        output.fields(shown.items())


def pause(job: options.Job, as_json: options.Json = False) -> None:
    """Stop checking a job until it is resumed.

    A running check still ends, and may complete the job.

    \b
    Example:
      manage.py customcheck pause nightly
    """
    _move(find_job(job), CustomCheckJob.pause, as_json=as_json)


def resume(job: options.Job, as_json: options.Json = False) -> None:
    """Check a paused job again, now and by its interval.

    \b
    Example:
      manage.py customcheck resume nightly
    """
    _move(find_job(job), CustomCheckJob.resume, as_json=as_json)


def restart(job: options.Job, as_json: options.Json = False) -> None:
    """Watch a completed or failed job anew.

    Its script starts without state, and its webhook call gets a new id.

    \b
    Example:
      manage.py customcheck restart nightly
    """
    _move(find_job(job), CustomCheckJob.restart, as_json=as_json)


def delete(job: options.Job, yes: Yes = False, as_json: options.Json = False) -> None:
    """Delete a job with its logs.

    A running check is ended. Webhook calls that are still owed are not made any more.

    \b
    Example:
      manage.py customcheck delete nightly --yes
    """
    found = find_job(job)
    if not yes:
        _confirm(f"Delete job {found.pk} ({output.visible(found.name)}) and its {found.logs.count()} logs?")
    deleted = {"id": found.pk, "name": found.name}
    jobs.delete_job(found)
    output.say(f"Deleted job {deleted['id']}: {deleted['name']}")
    if as_json:
        output.document(deleted)


def _move(job: CustomCheckJob, transition: Callable[[CustomCheckJob], None], *, as_json: bool) -> None:
    try:
        transition(job)
    except TransitionRefused as error:
        raise Failed(str(error)) from None
    output.say(f"Job {job.pk} ({job.name}) is {job.status}.")
    if as_json:
        output.document(shapes.job(job))


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Usage("Say --yes: there is no terminal to ask on.")
    typer.confirm(question, abort=True, err=True)


def _row(job: CustomCheckJob) -> tuple[object, ...]:
    return (
        job.pk,
        job.name,
        job.status,
        job.last_check_status,
        job.last_check_at,
        job.next_check_at,
        f"{job.poll_interval_seconds} s",
    )
