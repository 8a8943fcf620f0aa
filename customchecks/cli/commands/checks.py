"""``test trigger logs``."""

import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.commands import transitions
from customchecks.cli.support import declared_options, exit_codes, options, output
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.cli.support.exit_codes import Failed, Usage, failing
from customchecks.cli.support.lazy_import import later
from customchecks.jobs.declared import JOB
from polling.base.results import Cause, CheckResult, Verdict

if TYPE_CHECKING:
    from customchecks.cli.support import lookups, shapes, trials
    from customchecks.jobs import models, selection
    from customchecks.jobs import trials as api_trials
    from polling.jobs import scheduling
else:
    api_trials = later("customchecks.jobs.trials")
    lookups = later("customchecks.cli.support.lookups")
    models = later("customchecks.jobs.models")
    scheduling = later("polling.jobs.scheduling")
    selection = later("customchecks.jobs.selection")
    shapes = later("customchecks.cli.support.shapes")
    trials = later("customchecks.cli.support.trials")

LOOK_SECONDS = 0.5
OUTPUT_LINES = 10
COLUMNS: Mapping[str, output.Column] = {
    "ID": "pk",
    "Ended": "created_at",
    "Verdict": lambda log: log.status.upper(),
    "Cause": lambda log: log.cause or None,
    "Time": lambda log: _seconds(log),
    "Message": "message",
}
START_SECONDS = 60  # for the sweep to start a triggered check, and for what it prepares

OF_A_RUN = JOB.only(
    *("script_runtime", "script_entrypoint", "check_params", "env_vars", "timeout_seconds", "resource_limits")
)
Target = Annotated[str, typer.Argument(metavar="PATH|JOB", help="A directory, a .tgz, or a job's number or name.")]
LogLimit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="The last so many.")]
LogVerdict = Annotated[Verdict | None, typer.Option("--status", case_sensitive=False, help="Only this verdict.")]
LogCause = Annotated[Cause | None, typer.Option("--cause", help="Only errors with this cause.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only what ended then or later, such as 2026-01-31.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")]
WithOutput = Annotated[bool, typer.Option("--output", help="Also the last lines that each script printed.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the check's verdict and exit by it.")]
WaitSeconds = Annotated[
    float | None,
    typer.Option("--timeout", min=0, metavar="S", help="Wait at most so long.  [default: the job's timeout and 60]"),
]


@declared_options.setting(OF_A_RUN, new=True)
def test(target: Target, given: Given = NONE, config: options.Config = None, as_json: options.Json = False) -> None:
    """Run a script once in the real sandbox.

    Exits by its verdict: 0 SUCCESS, 10 PENDING, 20 FAILED, 30 ERROR. Changes nothing and calls no webhook. A job runs
    as it is stored, with its secrets (whose use is written down); the options are for a directory or a .tgz, where
    --env gives values.

    \b
    Examples:
      manage.py customcheck test ./checker --runtime python --env BATCH_ID=b-17
      manage.py customcheck test nightly --json
    """
    data = declared_options.fields(models.CustomCheckJob, given, onto=options.read_config(config))
    trial = _trial(target, data)
    result = trial.run()
    if as_json:
        output.document(api_trials.answer(trial.check_id, result))
    else:
        _print_result(result)
    raise typer.Exit(exit_codes.of_verdict(result.verdict, result.cause))


def trigger(
    job: options.Jobs = None,
    tag: options.OfTag = None,
    wait: Wait = False,
    timeout: WaitSeconds = None,
    as_json: options.Json = False,
) -> None:
    """Make the check of a job, or of several, due now, and print its id.

    A paused job is checked once and stays paused. With --wait, of one job, it exits by that check's verdict: 0 SUCCESS,
    10 PENDING, 20 FAILED, 30 ERROR; 1 when none came in time.

    \b
    Examples:
      manage.py customcheck trigger nightly
      manage.py customcheck trigger nightly --wait --timeout 120
      manage.py customcheck trigger --tag exports
    """
    found = transitions.chosen(job, tag)
    if not wait:
        transitions.move("trigger", found, as_json=as_json)
    elif len(found) == 1:
        _trigger_and_wait(found[0], timeout, as_json=as_json)
    else:
        raise Usage("--wait: name one job to wait for.")


def _trigger_and_wait(found: "models.CustomCheckJob", timeout: float | None, *, as_json: bool) -> None:
    with failing(scheduling.TransitionRefused):
        check_id = found.trigger()
    output.say(f"Job {found.pk} ({found.name}) is due now.")
    log = _await_log(found, check_id, seconds=found.timeout_seconds + START_SECONDS if timeout is None else timeout)
    if as_json:
        output.document(shapes.log(log))
    else:
        _print_logs([log], as_json=False)
    raise typer.Exit(exit_codes.of_verdict(Verdict(log.status.upper()), log.cause))


def logs(
    job: options.Job,
    limit: LogLimit = 20,
    status: LogVerdict = None,
    cause: LogCause = None,
    since: Since = None,
    follow: Follow = False,
    with_output: WithOutput = False,
    as_json: options.Json = False,
) -> None:
    """Show a job's checks, the newest last.

    With --output the end of what each script printed follows its row, secrets masked.
    With --json the newest is first, as in the API; with --json and --follow every check is one line of JSON.

    \b
    Examples:
      manage.py customcheck logs nightly --limit 5 --status error --since 2026-01-31T22:00:00Z
      manage.py customcheck logs nightly --follow
    """
    found = lookups.find_job(job)
    rows = options.valid(lambda: selection.logs(found.logs.all(), status=status, cause=cause, since=since))
    page = list(rows.order_by("-id")[:limit])
    if as_json and not follow:
        shown = [shapes.log(row) for row in page]
        output.document({"logs": shown, "total": rows.count(), "limit": limit, "offset": 0})
        return
    _print_logs(page[::-1], as_json=as_json, with_output=with_output)
    newest = page[0].pk if page else 0
    while follow:
        time.sleep(LOOK_SECONDS)
        new = list(rows.filter(id__gt=newest).order_by("id"))
        _print_logs(new, as_json=as_json, with_output=with_output, header=not newest)
        newest = new[-1].pk if new else newest


def _trial(target: str, given: dict[str, Any]) -> "trials.Trial":
    path = Path(target)
    if not target.isdecimal() and (path.exists() or "/" in target or target.endswith(".tgz")):
        return trials.of_directory(path, given)
    if given:
        raise Usage("A job is tested as it is stored: give options with a directory or a .tgz only.")
    return trials.of_job(lookups.find_job(target))


def _await_log(job: "models.CustomCheckJob", check_id: uuid.UUID, *, seconds: float) -> "models.CustomCheckLog":
    """Raises Failed."""
    end = time.monotonic() + seconds
    while True:
        current = models.CustomCheckJob.objects.filter(pk=job.pk).first()
        if log := job.logs.filter(check_id=check_id).first():
            return log
        if current is None:
            raise Failed("The job was deleted meanwhile.")
        if current.state_of(check_id) is None:
            raise Failed(f"The check was not made: meanwhile the job is {current.status}.")
        if time.monotonic() >= end:
            raise Failed(f"No check ended within {seconds:g} s. Does the cluster run? manage.py customcheck doctor")
        time.sleep(min(LOOK_SECONDS, max(end - time.monotonic(), 0)))


def _print_logs(
    rows: "list[models.CustomCheckLog]", *, as_json: bool, with_output: bool = False, header: bool = True
) -> None:
    if as_json:
        for row in rows:
            output.document(shapes.log(row), one_line=True)
    elif with_output:
        for row in rows:
            output.rows(COLUMNS, [row], header=False)
            _print_output(row.script_output or {})
    elif rows:
        output.rows(COLUMNS, rows, header=header)


def _print_output(kept: dict[str, Any]) -> None:
    for stream in ("stdout", "stderr"):
        for line in str(kept.get(stream) or "").splitlines()[-OUTPUT_LINES:]:
            output.text(f"    {stream}: {line}")


def _seconds(log: "models.CustomCheckLog") -> str | None:
    return None if log.execution_time_ms is None else f"{log.execution_time_ms / 1000:.1f} s"


def _print_result(result: CheckResult) -> None:
    output.fields(_facts(result))
    for title, content in (("stdout", result.stdout), ("stderr", result.stderr)):
        if content:
            output.text(f"--- {title}\n{content.rstrip()}")


def _facts(result: CheckResult) -> Iterator[tuple[str, Any]]:
    yield "Verdict", result.verdict.value
    if result.cause:
        yield "Cause", result.cause.value
    yield "Message", result.message
    yield "Data", result.data
    if result.state is not None:
        yield "State", result.state
    if result.progress is not None:
        yield "Progress", f"{result.progress:g} %"
    steps = ", ".join(f"{step} {milliseconds}" for step, milliseconds in result.timings.items())
    yield "Time", f"{result.execution_time_ms} ms ({steps})" if steps else f"{result.execution_time_ms} ms"
