"""What commands are about, by number or name: how one is found, told of, shown and deleted, alike for all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from customchecks.cli.support import options, output
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.cli.support import lookups
    from polling.jobs import duplicate_names
else:
    duplicate_names = later("polling.jobs.duplicate_names")
    lookups = later("customchecks.cli.support.lookups")

M = TypeVar("M", bound=Any)


@dataclass(frozen=True, kw_only=True)
class Thing(Generic[M]):
    """``shape`` is its JSON, as in the API; ``listed_by`` the command that lists all."""

    called: str
    listed_by: str
    model: Callable[[], type[M]]
    shape: Callable[[M], Mapping[str, Any]]

    def find(self, word: str) -> M:
        """Raises NotFound, Invalid."""
        return lookups.find(self.model(), word, called=self.called, listed_by=self.listed_by)

    def created(self, row: M, *, as_json: bool, note: str = "") -> None:
        output.say(f"Created {self.called} {row.pk}: {row.name}{note}")
        output.warn(duplicate_names.warning(row))
        self.print(row, as_json=as_json)

    def print(self, row: M, *, as_json: bool) -> None:
        """JSON, or its number."""
        if as_json:
            output.document(self.shape(row))
        else:
            output.text(str(row.pk))

    def tell(self, row: M, sentence: str, *, as_json: bool, warning: str = "") -> None:
        output.say(sentence)
        output.warn(warning)
        if as_json:
            output.document(self.shape(row))

    def show(self, row: M, *, as_json: bool, **more: Any) -> None:
        shown = {**self.shape(row), **more}
        if as_json:
            output.document(shown)
        else:
            output.fields(shown.items())

    def delete(self, row: M, step: Callable[[M], object], *, yes: bool, as_json: bool, along: str = "") -> None:
        """Asks before, where ``yes`` was not said."""
        deleted = {"id": row.pk, "name": row.name}
        if not yes:
            options.confirm(f"Delete {self.called} {row.pk} ({output.visible(row.name)}){along}?")
        step(row)
        output.say(f"Deleted {self.called} {deleted['id']}: {deleted['name']}")
        if as_json:
            output.document(deleted)
