"""Names in the database, by SQL: that needs neither the models nor the applications that they belong to."""

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from django.db import DatabaseError, connection

MOST = 50


def starting(table: str, letters: str) -> Iterable[str]:
    """A shell completes what begins with exactly these letters; SQLite's LIKE does not tell large from small ones."""
    quoted = connection.ops.quote_name(table)
    sql = f"SELECT DISTINCT name FROM {quoted} WHERE substr(name, 1, %s) = %s ORDER BY name LIMIT %s"  # noqa: S608
    return [name for (name,) in _rows(sql, len(letters), letters, MOST)]


def tags(letters: str) -> Iterable[str]:
    found = {tag for (tags,) in _rows("SELECT tags FROM custom_check_jobs") for tag in _list(tags)}
    return sorted(tag for tag in found if tag.startswith(letters))[:MOST]


def _rows(sql: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        connection.ensure_connection()
        # The connection's own cursor warns that the applications are not ready: nothing here needs them
        with connection.wrap_database_errors, closing(connection.create_cursor()) as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())
    except DatabaseError:
        return []


def _list(value: Any) -> list[str]:
    """SQLite keeps a list as text."""
    return list(json.loads(value) if isinstance(value, str) else value)
