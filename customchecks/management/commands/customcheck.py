"""``manage.py customcheck``: everything about jobs on the command line. The subcommands are in ``customchecks.cli``."""

import logging
import sys
from types import TracebackType
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError
from django_typer.management import TyperCommand, group, initialize
from typer import Context
from typer._click.exceptions import UsageError

from customchecks import engine
from customchecks.cli import (
    checks,
    deliveries,
    deps,
    diagnosis,
    documents,
    groups,
    jobs,
    moves,
    operations,
    polling_job,
    secrets,
    tokens,
    versions,
)
from customchecks.cli.endings import EngineUnavailable, Exit, Failed
from customchecks.cli.lookups import account
from secrets_app.access import audit
from secrets_app.access.audit import Who


class Command(TyperCommand, rich_markup_mode=None):
    help = """Jobs, their checks and the sandbox they run in.

    JOB is a number or a name. Tables are for terminals: in a pipe every row is a line of tab-separated values, and
    --json has everything. Exit codes: 0 ok, 1 error, 2 usage, 3 not found, 4 invalid, 5 engine unavailable; test and
    trigger --wait: 0 SUCCESS, 10 PENDING, 20 FAILED, 30 ERROR.
    """
    requires_system_checks = ()  # see look_at_settings
    suppressed_base_arguments = {"--version", "--settings", "--pythonpath", "--verbosity", "--skip-checks"}

    @initialize()
    def look_at_settings(self, context: Context) -> None:
        """doctor has to run in spite of a wrong one."""
        if context.invoked_subcommand != "doctor":
            diagnosis.complain()

    @group()
    def deps(self) -> None:
        """The cache of dependencies: what scripts need beside themselves, installed once."""

    def execute(self, *args: Any, **options: Any) -> Any:
        if getattr(self, "_called_from_command_line", False):
            logging.disable(logging.WARNING)  # stderr is for people here
        try:
            with audit.acting(lambda: Who(None, "command line", account())):
                return super().execute(*args, **options)  # type: ignore[no-untyped-call]
        except engine.EngineUnavailable as error:
            raise EngineUnavailable(str(error)) from error
        except engine.EngineError as error:
            raise Failed(str(error)) from error
        except DatabaseError as error:
            raise Failed(f"The database failed: {error}. Is it set up? Run manage.py prepare.") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """A wrong usage is one line and exit code 2 here, not the whole help and 1."""
        if not isinstance(error, UsageError):
            return bool(super().__exit__(kind, error, traceback))  # type: ignore[no-untyped-call]
        command = error.ctx.command_path if error.ctx else "manage.py customcheck"
        message = f"{error.format_message()} See: {command} --help"
        if getattr(self, "_called_from_command_line", False):
            self.stderr.write(f"Usage: {message}")
            sys.exit(Exit.USAGE)
        raise CommandError(message, returncode=Exit.USAGE) from error


for subcommand, name in (
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
    (moves.pause, "pause"),
    (moves.resume, "resume"),
    (moves.restart, "restart"),
    (moves.delete, "delete"),
    (versions.versions, "versions"),
    (versions.rollback, "rollback"),
    (versions.pin, "pin"),
    (versions.unpin, "unpin"),
    (versions.upload_script, "upload-script"),
    (versions.validate, "validate"),
    (operations.doctor, "doctor"),
):
    Command.command(name)(subcommand)

Command.deps.command("list")(deps.list_sets)
Command.deps.command("prune")(deps.prune)
_polling_jobs = Command.group("polling-job")(polling_job.group)  # type: ignore[arg-type]
for action, name in polling_job.COMMANDS:
    _polling_jobs.command(name)(action)

_groups = Command.group("group")(groups.group)  # type: ignore[arg-type]
for group_action, name in groups.COMMANDS:
    _groups.command(name)(group_action)


@Command.group("deliveries", help="What is sent to webhooks: list, send again, send a test.")  # type: ignore[arg-type]
def delivery_commands() -> None:
    pass


delivery_commands.command("list")(deliveries.list_deliveries)
delivery_commands.command("resend")(deliveries.resend)
delivery_commands.command("test")(deliveries.test)


@Command.group("token", help="Tokens for the API: create, list, revoke.")  # type: ignore[arg-type]
def token_commands() -> None:
    pass


token_commands.command("create")(tokens.create)
token_commands.command("list")(tokens.list_tokens)
token_commands.command("revoke")(tokens.revoke)


@Command.group("secret", help="Secrets: create, list, set, delete. Values come from stdin.")  # type: ignore[arg-type]
def secret_commands() -> None:
    pass


secret_commands.command("list")(secrets.list_secrets)
secret_commands.command("create")(secrets.create)
secret_commands.command("set")(secrets.set_value)
secret_commands.command("delete")(secrets.delete)
