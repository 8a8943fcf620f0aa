"""The options that several commands share, and the job definition that they add up to."""

import copy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
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
EXTENDED = ("check_params", "env_vars", "webhook_headers", "resource_limits")

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's number or name.", autocompletion=completion.jobs)]
Jobs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[JOB]...", help="Numbers or names of jobs.", autocompletion=completion.jobs),
]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="A tag of the job. Repeatable.", autocompletion=completion.tags),
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

Name = Annotated[str | None, typer.Option("--name", help="The job's name.")]
Source = Annotated[Path | None, typer.Option("--from", metavar="PATH", help="A directory or a .tgz with the script.")]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="RUNTIME",
        help="What runs it: python, node, or with a version such as python-3.13.",
        autocompletion=completion.runtimes,
    ),
]
Entrypoint = Annotated[
    str | None, typer.Option(metavar="FILE", help="The file to run.  [default: main.py or index.js]")
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="K=V", help="A parameter of the check, as a text; K:=JSON for anything else. Repeatable."),
]
Env = Annotated[
    list[str] | None,
    typer.Option(metavar="K=V", help="An environment variable; V may hold secret_ref:NAME. Repeatable."),
]
Interval = Annotated[int | None, typer.Option(metavar="S", help="Seconds between checks.  [default: 120]")]
Timeout = Annotated[int | None, typer.Option(metavar="S", help="Seconds that one check may take.  [default: 300]")]
Memory = Annotated[int | None, typer.Option(metavar="MB", help="Memory of a check in megabytes.  [default: 512]")]
Cpu = Annotated[float | None, typer.Option(metavar="CORES", help="Processor cores of a check.  [default: 0.5]")]
WebhookUrl = Annotated[str | None, typer.Option(metavar="URL", help="Called when the job has ended.")]
WebhookMethod = Annotated[str | None, typer.Option(metavar="METHOD", help="GET, POST, PUT, PATCH or DELETE.")]
WebhookHeader = Annotated[
    list[str] | None,
    typer.Option(metavar="K=V", help="A header of the call; V may hold secret_ref:NAME. Repeatable."),
]
Deadline = Annotated[
    int | None, typer.Option(metavar="S", help="Give up without a verdict after so long.  [default: 604800]")
]
MaxChecks = Annotated[int | None, typer.Option(metavar="N", help="Give up after so many checks.  [default: 100000]")]
MaxErrors = Annotated[
    int | None,
    typer.Option("--max-errors", metavar="N", help="Give up after so many errors in a row.  [default: 25]"),
]
AlertAfter = Annotated[
    int | None, typer.Option(metavar="N", help="Send an alert after so many errors in a row.  [default: 5]")
]
AlertUrl = Annotated[str | None, typer.Option(metavar="URL", help="Where alerts go.  [default: the webhook]")]
GitUrl = Annotated[
    str | None,
    typer.Option("--git-url", metavar="URL", help="A repository that the script comes from, instead of --from."),
]
GitBranch = Annotated[
    str | None, typer.Option("--git-branch", metavar="NAME", help="Its branch or tag.  [default: main]")
]
GitCommit = Annotated[
    str | None,
    typer.Option("--git-commit", metavar="SHA", help="Stay with this commit, whatever is pushed; '' follows again."),
]
GitPath = Annotated[
    str | None, typer.Option("--git-path", metavar="FOLDER", help="The folder of it with the script; '' for all of it.")
]
GitToken = Annotated[
    str | None,
    typer.Option(
        "--git-token-secret", metavar="SECRET", help="Number or name of the secret with its token; '' for none."
    ),
]
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


def definition(
    *,
    config: str | None,
    param: Iterable[str] | None,
    env: Iterable[str] | None,
    webhook_header: Iterable[str] | None = None,
    memory: int | None,
    cpu: float | None,
    before: Mapping[str, Any] | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """A job as the API takes it. ``columns`` that are None were not given; ``before`` is what options are added to."""
    data = _read_config(config)
    data |= {field: value for field, value in columns.items() if value is not None}
    limits = {"memory_mb": memory, "cpu_cores": cpu}
    extended: tuple[dict[str, Any], ...] = (
        _params(param or ()),
        pairs("--env", env or ()),
        pairs("--webhook-header", webhook_header or ()),
        {key: value for key, value in limits.items() if value is not None},
    )
    for field, entries in zip(EXTENDED, extended, strict=True):
        _extend(data, field, entries, before=before or {})
    return data


def git(
    *, url: str | None, branch: str | None, commit: str | None, path: str | None, token: str | None, source: Path | None
) -> dict[str, str | None]:
    """The fields of a repository that were named; an empty word empties."""
    if url and source:
        raise Usage("--from, --git-url: name one place that the script comes from.")
    named = {"url": url, "branch": branch, "commit": commit, "path": path}
    columns = {f"script_git_{name}": word or None for name, word in named.items() if word is not None}
    if token is not None:
        columns["script_git_token"] = f"secret_ref:{token.removeprefix('secret_ref:')}" if token else None
    return columns | ({"script_source_type": "git"} if url else {})


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


def _read_config(config: str | None) -> dict[str, Any]:
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


def _extend(data: dict[str, Any], field: str, entries: dict[str, Any], *, before: Mapping[str, Any]) -> None:
    if not entries:
        return
    held = data.get(field, before.get(field)) or {}
    if not isinstance(held, dict):
        raise Invalid(f"--config: {field} is not a JSON object.")
    data[field] = held | entries


def _params(words: Iterable[str]) -> dict[str, Any]:
    """A value is a text, so that the number of a task keeps its zeros; ``K:=`` says JSON."""
    params: dict[str, Any] = {}
    for word in words:
        key, value = _pair("--param", word)
        params[key.removesuffix(":")] = _json_value(word, value) if key.endswith(":") else value
    return params


def _json_value(word: str, value: str) -> Any:
    try:
        return strict_json.loads(value)
    except strict_json.NotStrict as error:
        raise Usage(f"--param: {word!r} is not KEY:=JSON: {error}.") from None


def pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    return dict(_pair(option, word) for word in words)


def _pair(option: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        # The word may be a secret's value: it is not shown
        raise Usage(f"{option}: write KEY=VALUE.")
    return key, value
