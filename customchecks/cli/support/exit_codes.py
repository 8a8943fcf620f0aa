"""How a command ends: its exit codes, and the errors that choose one. An error's class name starts its line."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from customchecks.jobs.declared import JOB
from polling.base.results import Cause, Verdict

if TYPE_CHECKING:
    from django.core.exceptions import ValidationError

# Of filters and of what is no column, and of the fields of jobs: what has no option of its own is set by --config
OPTIONS: Mapping[str, str] = {
    "tag": "--tag",
    "runtime": "--runtime",
    "search": "--search",
    "ordering": "--order",
    "since": "--since",
    "cause": "--cause",
    "script": "--from",
    "batch_ids": "--batch",
    **dict.fromkeys(JOB.columns, "--config"),
    **JOB.options(),
}


class Exit(enum.IntEnum):
    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    INVALID = 4
    ENGINE_UNAVAILABLE = 5
    VERDICT_PENDING = 10
    VERDICT_FAILED = 20
    VERDICT_ERROR = 30


VERDICTS = {
    Verdict.SUCCESS: Exit.OK,
    Verdict.PENDING: Exit.VERDICT_PENDING,
    Verdict.FAILED: Exit.VERDICT_FAILED,
    Verdict.ERROR: Exit.VERDICT_ERROR,
}


def of_verdict(verdict: Verdict, cause: str | None) -> Exit:
    return Exit.ENGINE_UNAVAILABLE if cause == Cause.ENGINE_UNAVAILABLE else VERDICTS[verdict]


class Ended(Exception):
    """The message is for people."""

    code: ClassVar[Exit]

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.args[0]}"


class Failed(Ended):
    code = Exit.ERROR


@contextmanager
def failing(refused: type[Exception]) -> Iterator[None]:
    """Raises Failed where what is done is refused."""
    try:
        yield
    except refused as error:
        raise Failed(str(error)) from None


class Usage(Ended):
    code = Exit.USAGE


class NotFound(Ended):
    code = Exit.NOT_FOUND


class Invalid(Ended):
    code = Exit.INVALID

    @classmethod
    def of(cls, error: "ValidationError", *, options: Mapping[str, str] | None = None) -> "Invalid":
        """One line a field, with the option that sets it; ``options`` are those of the command's own."""
        if not hasattr(error, "error_dict"):
            return cls(" ".join(error.messages))
        known = {**OPTIONS, **(options or {})}
        return cls("\n".join(_line(field, messages, known) for field, messages in error.message_dict.items()))


class EngineUnavailable(Ended):
    code = Exit.ENGINE_UNAVAILABLE


def _line(field: str, messages: Iterable[str], options: Mapping[str, str]) -> str:
    option = f" ({options[column]})" if (column := field.partition(".")[0]) in options else ""
    return f"{field}{option}: {' '.join(messages)}"
