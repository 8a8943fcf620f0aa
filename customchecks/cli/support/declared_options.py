"""Options that set declared fields: made from the table of the fields, and read back into what the API takes."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import typer

from customchecks.cli.support import completion
from customchecks.cli.support.exit_codes import Invalid, Usage
from teckochecker.kit import strict_json
from teckochecker.kit.declared import REPEATABLE, Field, Option, Table, Takes

Given = Mapping[str, Any]
Command = Callable[..., None]
NONE: Given = MappingProxyType({})
PLACE = "given"
TYPES: Mapping[Takes, Any] = {
    Takes.TEXT: str | None,
    Takes.SECRET: str | None,
    Takes.WHOLE: int | None,
    Takes.NUMBER: float | None,
    **dict.fromkeys(REPEATABLE, list[str] | None),
}


def setting(table: Table, *, new: bool = False) -> Callable[[Command], Command]:
    """Gives a command the options of the fields in place of its parameter ``given``, which holds those that were said.

    The help of a command for what is ``new`` also names the defaults.
    """
    made = {option.parameter: _parameter(row, option, new=new) for row in table for option in row.options}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**words: Any) -> None:
            said = {name: words.pop(name) for name in made}
            command(**words, given={name: value for name, value in said.items() if value is not None})

        own = inspect.signature(command).parameters
        parts = [list(made.values()) if name == PLACE else [parameter] for name, parameter in own.items()]
        signature = inspect.Signature([parameter for part in parts for parameter in part])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        return run

    return decorate


def fields(model: Any, given: Given, *, onto: dict[str, Any], before: Mapping[str, Any] = NONE) -> dict[str, Any]:
    """What was said, by field, over what there is in ``onto``.

    Entries of an object are added to those of ``onto``, or else of ``before``; an empty word is null where it may be.
    """
    data = dict(onto)
    for row in model.declared:
        for option in row.options:
            if option.parameter in given:
                value = READ[option.takes](option.name, given[option.parameter])
                empties = value == "" and model._meta.get_field(row.column).null
                data[row.column] = _added(row, option, value, data, before) if not empties else None
    return data


def pairs(option: str, words: Iterable[str]) -> dict[str, str]:
    return dict(_pair(option, word) for word in words)


def _parameter(row: Field, option: Option, *, new: bool) -> inspect.Parameter:
    help = option.help or row.help
    help += " Repeatable." if option.takes in REPEATABLE else ""
    help += f"  [default: {option.default}]" if new and option.default is not None else ""
    complete = getattr(completion, option.complete) if option.complete else None
    said = typer.Option(option.name, metavar=option.metavar, help=help, autocompletion=complete)
    return inspect.Parameter(
        option.parameter,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[TYPES[option.takes], said],
    )


def _added(row: Field, option: Option, value: Any, data: Mapping[str, Any], before: Mapping[str, Any]) -> Any:
    if not option.key and option.takes not in (Takes.PAIRS, Takes.JSON_PAIRS):
        return value
    held = data.get(row.column, before.get(row.column)) or {}
    if not isinstance(held, dict):
        raise Invalid(f"--config: {row.column} is not a JSON object.")
    return {**held, **({option.key: value} if option.key else value)}


def _as_it_is(option: str, value: Any) -> Any:
    return value


def _reference(option: str, word: str) -> str:
    return f"secret_ref:{word.removeprefix('secret_ref:')}" if word else ""


def _json_pairs(option: str, words: Iterable[str]) -> dict[str, Any]:
    """A value is a text, so that the number of a task keeps its zeros; ``K:=`` says JSON."""
    found: dict[str, Any] = {}
    for word in words:
        key, value = _pair(option, word)
        found[key.removesuffix(":")] = _json_value(option, word, value) if key.endswith(":") else value
    return found


def _json_value(option: str, word: str, value: str) -> Any:
    try:
        return strict_json.loads(value)
    except strict_json.NotStrict as error:
        raise Usage(f"{option}: {word!r} is not KEY:=JSON: {error}.") from None


def _pair(option: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        # The word may be a secret's value: it is not shown
        raise Usage(f"{option}: write KEY=VALUE.")
    return key, value


READ: Mapping[Takes, Callable[[str, Any], Any]] = {
    **dict.fromkeys((Takes.TEXT, Takes.WHOLE, Takes.NUMBER, Takes.TEXTS), _as_it_is),
    Takes.SECRET: _reference,
    Takes.PAIRS: pairs,
    Takes.JSON_PAIRS: _json_pairs,
}
