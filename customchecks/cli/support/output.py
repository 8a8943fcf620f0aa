"""What a command prints: data on stdout, as a table only on a terminal; what it has to say on stderr.

Texts of scripts are printed with their control characters escaped: a script must not drive somebody's terminal.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import typer

from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from rich import console
    from rich import table as tables
    from rich import text as texts
else:
    console = later("rich.console")
    tables = later("rich.table")
    texts = later("rich.text")

Column = str | Callable[[Any], object]  # an attribute such as user.username, or what is made of a thing

# Control characters but \t and \n, invisible and bidirectional marks, lone surrogates
_DANGEROUS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_STYLES = {
    "SUCCESS": "green",
    "PENDING": "yellow",
    "FAILED": "red",
    "ERROR": "red",
    "active": "green",
    "ok": "green",
    "paused": "yellow",
    "warning": "yellow",
    "failed": "red",
}


def say(message: str) -> None:
    typer.echo(visible(message), err=True)


def warn(message: str) -> None:
    """Nothing where there is nothing to say."""
    if message:
        say(f"Warning: {message}")


def text(value: str) -> None:
    typer.echo(visible(value))


def document(value: Any, *, one_line: bool = False) -> None:
    """JSON for programs; the fields are named as in the API."""
    written = json.dumps(value, ensure_ascii=False, default=_plain, indent=None if one_line else 2)
    typer.echo(_DANGEROUS.sub(lambda found: f"\\u{ord(found[0]):04x}", written))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True) -> None:
    """Tab-separated lines without a header where stdout is no terminal."""
    cells = [[cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            typer.echo("\t".join(value.replace("\t", " ").replace("\n", " ") for value in row))
        return
    shown = tables.Table(box=None, header_style="bold", pad_edge=False, show_header=header)
    for title in headers:
        shown.add_column(title, overflow="fold")
    for row in cells:
        shown.add_row(*(texts.Text(value, style=_STYLES.get(value, "")) for value in row))
    console.Console().print(shown)


def rows(columns: Mapping[str, Column], found: Iterable[Any], *, header: bool = True) -> None:
    """A table of things; ``columns`` are by their titles."""
    read = [attrgetter(column) if isinstance(column, str) else column for column in columns.values()]
    table(list(columns), [[value(one) for value in read] for one in found], header=header)


def fields(values: Iterable[tuple[str, Any]]) -> None:
    table(("Field", "Value"), values)


def cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, dict | list):
        return visible(json.dumps(value, ensure_ascii=False, default=_plain))
    return visible(str(value))


def visible(value: str) -> str:
    return _DANGEROUS.sub(_escaped, value.replace("\r\n", "\n"))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
