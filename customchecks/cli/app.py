"""``manage.py customcheck``: the tree of its commands. Whatever these need of the product is loaded when one runs."""

import gc
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click.core import Context
from typer.core import TyperCommand

from customchecks.cli.commands import (
    checks,
    deliveries,
    deps,
    documents,
    groups,
    jobs,
    operations,
    polling_job,
    secrets,
    tokens,
    transitions,
    versions,
)
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.cli.support import session
else:
    session = later("customchecks.cli.support.session")

HELP = """Jobs, their checks and the sandbox they run in.

JOB is a number or a name. Tables are for terminals: in a pipe every row is a line of tab-separated values, and
--json has everything. Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 invalid, 5 engine unavailable; test and
trigger --wait: 0 SUCCESS, 10 PENDING, 20 FAILED, 30 ERROR.
"""


class Working(TyperCommand):
    """A command that does something, unlike its help."""

    def invoke(self, ctx: Context) -> Any:
        # doctor has to run in spite of a wrong setting
        with session.session(complain=self.name != "doctor"):
            _collect_garbage()
            return super().invoke(ctx)


def _collect_garbage() -> None:
    """From now on, where ``main`` put it off: what has been loaded stays, and is not looked through each time."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


app = typer.Typer(help=HELP, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def options(
    context: typer.Context,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where in the code an error was raised.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print no colours.")] = False,
) -> None:
    context.obj = {"traceback": traceback}
    if no_color:
        os.environ["NO_COLOR"] = "1"


def add(name: str, commands: Iterable[tuple[Callable[..., None], str]], *, about: str) -> None:
    below = typer.Typer(help=about, rich_markup_mode=None)
    for function, word in commands:
        below.command(word, cls=Working)(function)
    app.add_typer(below, name=name)


add("deps", deps.COMMANDS, about="The cache of dependencies: what scripts need beside themselves, installed once.")
for function, word in (
    (jobs.create, "create"),
    (jobs.update, "update"),
    (documents.clone, "clone"),
    (documents.export, "export"),
    (documents.apply, "apply"),
    (jobs.list_jobs, "list"),
    (jobs.show, "show"),
    (checks.logs, "logs"),
    (checks.trigger, "trigger"),
    (checks.test, "test"),
    (operations.build_images, "build-images"),
    (transitions.pause, "pause"),
    (transitions.resume, "resume"),
    (transitions.restart, "restart"),
    (transitions.delete, "delete"),
    (versions.versions, "versions"),
    (versions.rollback, "rollback"),
    (versions.pin, "pin"),
    (versions.unpin, "unpin"),
    (versions.upload_script, "upload-script"),
    (versions.validate, "validate"),
    (operations.doctor, "doctor"),
):
    app.command(word, cls=Working)(function)
add(
    "polling-job",
    polling_job.COMMANDS,
    about="Jobs that watch OpenAI batches, and call a webhook or start a Keboola job when all of them have ended.",
)
add(
    "group",
    groups.COMMANDS,
    about="Jobs that are waited for together: one webhook call when all, any or so many of them have ended.",
)
add("deliveries", deliveries.COMMANDS, about="What is sent to webhooks: list, send again, send a test.")
add("token", tokens.COMMANDS, about="Tokens for the API: create, list, revoke.")
add("secret", secrets.COMMANDS, about="Secrets: create, list, set, delete. Values come from stdin.")
