"""``pause resume restart delete``: of one job, of several, or of all with a tag."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from customchecks.cli.support import options, output
from customchecks.cli.support.exit_codes import Exit, Failed, Usage
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.api import serializers
    from customchecks.cli.support import lookups, shapes
    from customchecks.jobs import bulk, models, selection
    from polling.jobs import restart_effects
else:
    bulk = later("customchecks.jobs.bulk")
    restart_effects = later("polling.jobs.restart_effects")
    lookups = later("customchecks.cli.support.lookups")
    serializers = later("customchecks.api.serializers")
    models = later("customchecks.jobs.models")
    selection = later("customchecks.jobs.selection")
    shapes = later("customchecks.cli.support.shapes")

COLUMNS = ("ID", "Done", "Status", "Detail")
DONE = {
    "pause": "is paused",
    "resume": "is active",
    "restart": "is active",
    "trigger": "is due now",
    "delete": "is deleted",
}


def pause(job: options.Jobs = None, tag: options.OfTag = None, as_json: options.Json = False) -> None:
    """Stop checking jobs until they are resumed.

    A running check still ends, and may complete the job.

    \b
    Examples:
      manage.py customcheck pause nightly
      manage.py customcheck pause --tag exports
    """
    move("pause", chosen(job, tag), as_json=as_json)


def resume(job: options.Jobs = None, tag: options.OfTag = None, as_json: options.Json = False) -> None:
    """Check paused jobs again, now and by their interval.

    \b
    Example:
      manage.py customcheck resume nightly
    """
    move("resume", chosen(job, tag), as_json=as_json)


def restart(
    job: options.Jobs = None, tag: options.OfTag = None, yes: options.Yes = False, as_json: options.Json = False
) -> None:
    """Watch completed or failed jobs anew.

    Their scripts start without state, and their webhook calls get new ids. Asks before, where Keboola jobs are started
    or webhooks called again, and names them.

    \b
    Examples:
      manage.py customcheck restart nightly
      manage.py customcheck restart --tag exports --yes
    """
    found = chosen(job, tag)
    if not yes:
        one = f"job {found[0].pk} ({found[0].name})" if len(found) == 1 else f"{len(found)} jobs"
        options.confirm_calls(f"Restart {one}?", restart_effects.of_jobs(found))
    move("restart", found, as_json=as_json)


def delete(
    job: options.Jobs = None, tag: options.OfTag = None, yes: options.Yes = False, as_json: options.Json = False
) -> None:
    """Delete jobs with their logs.

    Running checks are ended. Webhook calls that are still owed are not made any more.

    \b
    Examples:
      manage.py customcheck delete nightly --yes
      manage.py customcheck delete --tag old --yes
    """
    found = chosen(job, tag)
    if not yes:
        options.confirm(_question(found))
    move("delete", found, as_json=as_json)


def chosen(words: Sequence[str] | None, tags: Sequence[str] | None) -> "list[models.CustomCheckJob]":
    """Raises NotFound, Invalid, Usage."""
    if bool(words) == bool(tags):
        raise Usage("Name one or more jobs, or choose them with --tag.")
    if words:
        return list({job.pk: job for job in map(lookups.find_job, words)}.values())
    return list(options.valid(lambda: selection.jobs(models.CustomCheckJob.objects.order_by("pk"), tags=tags or ())))


def move(action: str, jobs: "Sequence[models.CustomCheckJob]", *, as_json: bool) -> None:
    """One that is refused stops no other, but the command then fails."""
    lookups.usual_user()
    names = {job.pk: job.name for job in jobs}
    results = list(bulk.run(action, list(names)))
    if len(jobs) == 1:
        _print_one(action, jobs[0], results[0], as_json=as_json)
        return
    failed = [result for result in results if not result.ok]
    if as_json:
        counts = {"total": len(results), "succeeded": len(results) - len(failed), "failed": len(failed)}
        output.document(serializers.BulkSerializer({"action": action, "results": results, **counts}).data)
    else:
        output.table(COLUMNS, [(one.job_id, "yes" if one.ok else "no", one.status, one.detail) for one in results])
    if failed:
        raise typer.Exit(Exit.ERROR)


def _print_one(action: str, job: "models.CustomCheckJob", result: "bulk.Result", *, as_json: bool) -> None:
    if not result.ok:
        raise Failed(result.detail)
    output.say(f"Job {job.pk} ({job.name}) {DONE[action]}.")
    if as_json and action == "delete":
        output.document({"id": job.pk, "name": job.name})
    elif as_json and result.check_id:
        output.document(shapes.started("Job triggered", job, result.check_id))
    elif as_json:
        output.document(shapes.job(lookups.find_job(str(job.pk))))
    elif result.check_id:
        output.text(str(result.check_id))


def _question(jobs: "Sequence[models.CustomCheckJob]") -> str:
    if len(jobs) != 1:
        return f"Delete {len(jobs)} jobs and their logs?"
    return f"Delete job {jobs[0].pk} ({output.visible(jobs[0].name)}) and its {jobs[0].logs.count()} logs?"
