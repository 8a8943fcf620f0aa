"""The options that several commands share, but for those that set fields: see ``declared_options``."""

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.models import OptionInfo

from customchecks.cli.support import completion, output
from customchecks.cli.support.exit_codes import Invalid, NotFound, Usage
from customchecks.cli.support.lazy_import import later
from teckochecker.kit import strict_json

if TYPE_CHECKING:
    from django.core import exceptions

    from customchecks.archives import script_archive
else:
    script_archive = later("customchecks.archives.script_archive")
    exceptions = later("django.core.exceptions")

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's number or name.", autocompletion=completion.jobs)]
Jobs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[JOB]...", help="Numbers or names of jobs.", autocompletion=completion.jobs),
]
OfTag = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="TAG", help="Jobs with this tag; given twice, with both.", autocompletion=completion.tags
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON with the API's field names.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
User = Annotated[str | None, typer.Option(metavar="LOGIN", help="Act as this user.  [default: the first superuser]")]

Source = Annotated[Path | None, typer.Option("--from", metavar="PATH", help="A directory or a .tgz with the script.")]
Config = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="JSON with the API's field names, - for stdin; other options win over it."),
]


def keeps_the_rest(command: C) -> C:
    """For commands that change what is named: help without the defaults of new rows."""
    hints = command.__annotations__
    for name in hints.keys() - {"user"}:
        given = getattr(hints[name], "__metadata__", (None,))[0]
        if isinstance(given, OptionInfo) and given.help:
            option = copy.copy(given)
            option.help = given.help.partition("  [default:")[0]
            hints[name] = Annotated[hints[name].__origin__, option]
    return command


def valid(step: Callable[[], T], *, names: Mapping[str, str] | None = None, field: str = "") -> T:
    """Raises Invalid for what the step refuses; ``names`` are the options of the command's own.

    ``field`` is what a step is about that checks one value and does not name it.
    """
    try:
        return step()
    except exceptions.ValidationError as error:
        named = exceptions.ValidationError({field: error.messages}) if field else error
        raise Invalid.of(named, options=names) from None


def confirm(question: str) -> None:
    """Where ``Yes`` was not said."""
    if not sys.stdin.isatty():
        raise Usage("Say --yes: there is no terminal to ask on.")
    typer.confirm(question, abort=True, err=True)


def confirm_calls(question: str, lines: Sequence[str]) -> None:
    """What is started and called again is named in any case, and nothing asked where there is nothing."""
    if not lines:
        return
    output.say("This is started or called again:")
    for line in lines:
        output.say(f"  {line}")
    confirm(output.visible(question))


def read_archive(path: Path) -> "script_archive.Archive":
    """Raises NotFound, Invalid."""
    try:
        if path.is_dir():
            return script_archive.from_directory(path)
        with path.open("rb") as stream:
            return script_archive.normalise(stream, size_hint=path.stat().st_size)
    except FileNotFoundError:
        raise NotFound(f"There is no directory or file {path}.") from None
    except OSError as error:
        raise Invalid(f"script (--from): {path} cannot be read: {error.strerror}.") from None
    except script_archive.ArchiveRejected as error:
        raise Invalid(f"script (--from): {error}") from None


def read_config(config: str | None) -> dict[str, Any]:
    """The fields in a file of ``Config``; none without one. Raises NotFound, Invalid."""
    if config is None:
        return {}
    try:
        value = strict_json.loads(sys.stdin.read() if config == "-" else Path(config).read_text())
    except FileNotFoundError:
        raise NotFound(f"There is no file {config} (--config).") from None
    except (OSError, UnicodeDecodeError):
        raise Invalid(f"--config: {config} cannot be read as UTF-8 text.") from None
    except strict_json.NotStrict as error:
        raise Invalid(f"--config: {config} is not JSON that can be used: {error}.") from None
    if not isinstance(value, dict):
        raise Invalid(f"--config: {config} holds no JSON object.")
    return value
