"""The fields that people may set of a thing, declared once: every other list of them is made from its table.

A model names its table as ``declared``. A row says what the model's column does not; type, bounds, choices and default
are the column's. Django is not needed here: the help of a command does without it.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Secrets(enum.Enum):
    """Whether the value of a field can refer to secrets: inside of longer texts, or as a reference and nothing else."""

    NONE = "none"
    INSIDE = "inside"
    WHOLE = "whole"


class Takes(enum.Enum):
    """What an option of the command line takes. The last three may be given several times."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    SECRET = "secret"  # noqa: S105 - the number or name of one
    TEXTS = "texts"
    PAIRS = "pairs"
    JSON_PAIRS = "json pairs"


REPEATABLE = (Takes.TEXTS, Takes.PAIRS, Takes.JSON_PAIRS)
EMPTY: Any = object()


@dataclass(frozen=True)
class Option:
    """An option of the command line that sets a field, or with ``key`` one entry of it.

    ``help`` is for where it says more than the field's own. ``default`` is what the help names as such. ``complete`` is
    what a shell offers, by its name in ``customchecks.cli.support.completion``.
    """

    name: str
    metavar: str
    takes: Takes = Takes.TEXT
    key: str = ""
    help: str = ""
    default: Any = None
    complete: str = ""

    @property
    def parameter(self) -> str:
        """Its name in Python."""
        return self.name.removeprefix("--").replace("-", "_")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field. ``shape`` is the JSON schema of a column that holds JSON.

    ``example`` is shown for a new thing; a field without one is left out there.
    """

    column: str
    section: str
    help: str = ""
    options: tuple[Option, ...] = ()
    example: Any = EMPTY
    shape: Mapping[str, Any] | None = None
    secrets: Secrets = Secrets.NONE


@dataclass(frozen=True)
class Table:
    """All fields of a thing, in the order in which they are shown."""

    rows: tuple[Field, ...] = ()
    _by_column: Mapping[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_column", {row.column: row for row in self.rows})
        if len(self._by_column) < len(self.rows):
            raise ValueError("A column is declared twice.")

    def __iter__(self) -> Iterator[Field]:
        return iter(self.rows)

    def __contains__(self, column: object) -> bool:
        return column in self._by_column

    def __getitem__(self, column: str) -> Field:
        return self._by_column[column]

    def __add__(self, others: "Table") -> "Table":
        return Table((*self.rows, *others.rows))

    def only(self, *columns: str) -> "Table":
        return Table(tuple(self[column] for column in columns))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._by_column)

    def sections(self) -> dict[str, list[str]]:
        """The columns by section, both in the order of the rows."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            found.setdefault(row.section, []).append(row.column)
        return found

    def holding(self, *secrets: Secrets) -> tuple[str, ...]:
        """The columns that can hold secrets; with arguments those that can in one of these ways."""
        wanted = secrets or (Secrets.INSIDE, Secrets.WHOLE)
        return tuple(row.column for row in self.rows if row.secrets in wanted)

    def options(self) -> dict[str, str]:
        """The columns to the options that set them, for messages."""
        return {row.column: ", ".join(option.name for option in row.options) for row in self.rows if row.options}

    def shapes(self) -> dict[str, Mapping[str, Any]]:
        """The columns that hold JSON to the JSON schema of each, with its help."""
        return {row.column: {**row.shape, "description": row.help} for row in self.rows if row.shape is not None}

    def example(self) -> dict[str, Any]:
        """A new thing, as somebody may write it."""
        return {row.column: row.example for row in self.rows if row.example is not EMPTY}


def of(model: Any) -> Table:
    """The table of a model, or of a row of it; an empty one where it has none."""
    found: Table = getattr(model, "declared", Table())
    return found


def defaults(model: Any) -> dict[str, Any]:
    """What a new row has in the declared columns where nothing is said."""
    return {column: model._meta.get_field(column).get_default() for column in of(model).columns}


def values(row: Any) -> dict[str, Any]:
    """What a row holds in its declared columns."""
    return {column: getattr(row, column) for column in of(row).columns}
