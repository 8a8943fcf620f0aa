"""Filters of the admin's lists."""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AllValuesFieldListFilter, ModelAdmin
from django.http import HttpRequest


class NamedValues(AllValuesFieldListFilter):
    """The values that there are; the empty one has a name, so that its link can be seen and clicked."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] if str(choice["display"]).strip() else "(none)"}


class ShownColumnsOnly(ModelAdmin):  # type: ignore[type-arg]
    """A list that is filtered by what it shows, never by a column whose content nobody may see."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        shown = {name for name in (*self.list_display, *self.list_filter) if isinstance(name, str)}
        return lookup.split("__")[0] in shown and super().lookup_allowed(lookup, value, request)
