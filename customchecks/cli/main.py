"""The entrance of the command line: runs a command, or completes a word, and tells how it ended."""

import gc
from collections.abc import Sequence
from pathlib import Path

import typer
from typer._click.exceptions import UsageError
from typer.main import get_command

from customchecks.cli import shells
from customchecks.cli.app import app
from customchecks.cli.support import output
from customchecks.cli.support.exit_codes import Ended, Exit

COMMAND = "customcheck"


def process(argv: Sequence[str]) -> int | None:
    """The exit code for the words of a ``manage.py``; None where they are about another command."""
    if argv[1:2] == [COMMAND]:
        gc.disable()  # loading leaves no garbage, and looking for it again and again is a third of a command's time
        return run(argv[2:], program=f"{Path(argv[0]).name} {COMMAND}")
    if asked := shells.question(argv[1:], command=COMMAND):
        output.text(asked.answer(get_command(app)))
        return Exit.OK
    return None


def run(words: Sequence[str], *, program: str) -> int:
    try:
        # The result of a command that called Exit is its code, and of one that ran to its end nothing
        return get_command(app).main(list(words), prog_name=program, standalone_mode=False) or Exit.OK
    except UsageError as error:
        path = error.ctx.command_path if error.ctx else program
        output.say(f"Usage: {error.format_message()} See: {path} --help")
        return Exit.USAGE
    except Ended as error:
        if "--traceback" in words:
            raise
        output.say(str(error))
        return error.code
    except typer.Abort:
        output.say("Aborted!")
        return Exit.ERROR
