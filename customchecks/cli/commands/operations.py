"""``build-images doctor``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from customchecks.cli.support import completion, options, output
from customchecks.cli.support.exit_codes import Exit
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.doctor import diagnosis
    from customchecks.images import current
    from customchecks.jobs import fields
else:
    diagnosis = later("customchecks.doctor.diagnosis")
    fields = later("customchecks.jobs.fields")
    current = later("customchecks.images.current")

OnlyRuntime = Annotated[
    str | None,
    typer.Option("--runtime", metavar="RUNTIME", help="Only this runtime's image.", autocompletion=completion.runtimes),
]
Offline = Annotated[bool, typer.Option("--offline", help="Build the base from packages, without an image registry.")]
Force = Annotated[bool, typer.Option("--force", help="Build although the image is current.")]


def build_images(
    runtime: OnlyRuntime = None, offline: Offline = False, force: Force = False, as_json: options.Json = False
) -> None:
    """Build the runner images that are not current.

    Without --runtime these are Python's and Node's default versions, and whatever was built here before. An image is
    current that was made by today's recipe. Without --offline the base comes from the registry, or from
    packages where no registry answers.

    \b
    Examples:
      manage.py customcheck build-images
      manage.py customcheck build-images --offline --runtime node-22
    """
    if runtime:
        options.valid(lambda: fields.runtime(runtime), field="script_runtime")
    built = current.build_all([runtime] if runtime else [], offline=offline or None, force=force, progress=output.say)
    if as_json:
        output.document(built)
    else:
        output.table(("Runtime", "Image"), built.items())


def doctor(as_json: options.Json = False) -> None:
    """Look at everything that checks need.

    Settings, engine, images, network rules, database, keys, sweep and disk. Exits 5 when the engine is unavailable, 1
    when something else that is required fails.

    \b
    Example:
      manage.py customcheck doctor
    """
    findings = list(diagnosis.examine())
    failed = {finding.name for finding in findings if finding.level is diagnosis.Level.FAILED}
    if as_json:
        output.document({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        output.table(("Check", "Result", "Detail"), [(one.name, one.level.value, one.detail) for one in findings])
        for finding in findings:
            if finding.remedy:
                output.say(f"{finding.name}: {finding.remedy}")
    if diagnosis.ENGINE in failed:
        raise typer.Exit(Exit.ENGINE_UNAVAILABLE)
    if failed:
        raise typer.Exit(Exit.ERROR)
