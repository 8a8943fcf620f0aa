"""Filters of the admin's lists."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AllValuesFieldListFilter


class NamedValues(AllValuesFieldListFilter):
    """The values that there are; the empty one has a name, so that its link can be seen and clicked."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] if str(choice["display"]).strip() else "(none)"}
