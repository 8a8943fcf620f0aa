"""The module that Django looks for in an engine."""

from functools import cached_property
from typing import Any

from django_prometheus.db.backends.sqlite3 import base
from django_prometheus.db.common import ExportingCursorWrapper


class DatabaseWrapper(base.DatabaseWrapper):
    """Has one class of cursors; django-prometheus makes one for each cursor, which costs more than a query."""

    @cached_property
    def _counting_cursor(self) -> Any:
        return ExportingCursorWrapper(self.CURSOR_CLASS, self.alias, self.vendor)

    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=self._counting_cursor)
