"""What a database's own words mean, asked of the real ones."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError
from django.db.utils import DatabaseErrorWrapper

from teckochecker.kit.database_errors import Trouble, trouble
from tests import postgresql


class _Wrapped:
    """What Django's wrapper asks of a connection."""

    def __init__(self, database: object) -> None:
        self.Database = database
        self.errors_occurred = False


def understood(database: object, action: Callable[[], object]) -> Trouble | None:
    with pytest.raises(DatabaseError) as raised, DatabaseErrorWrapper(_Wrapped(database)):
        action()
    return trouble(raised.value)


def open_file(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None)


def test_sqlite_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "db"
    with contextlib.closing(open_file(file)) as one, contextlib.closing(open_file(file)) as other:
        one.executescript("CREATE TABLE t (a UNIQUE); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        assert understood(sqlite3, lambda: other.execute("INSERT INTO t VALUES (1)")) is Trouble.BUSY
        assert understood(sqlite3, lambda: other.execute("SELECT * FROM x")) is Trouble.NOT_PREPARED
        assert understood(sqlite3, lambda: other.execute("SELECT b FROM t")) is Trouble.NOT_PREPARED
        one.executescript("PRAGMA max_page_count = 3")
        many = [("x" * 4000 + str(number),) for number in range(9)]
        assert understood(sqlite3, lambda: one.executemany("INSERT INTO t VALUES (?)", many)) is Trouble.FULL
        assert understood(sqlite3, lambda: one.execute("SELECT")) is None
        assert understood(sqlite3, lambda: one.execute("INSERT INTO t VALUES (1)")) is None
    assert understood(sqlite3, lambda: open_file(tmp_path / "no" / "db")) is Trouble.AWAY
    file.write_text("no database" * 1000)
    with contextlib.closing(open_file(file)) as damaged:
        assert understood(sqlite3, lambda: damaged.execute("SELECT * FROM t")) is Trouble.AWAY


def test_postgresql_says_what_is_wrong(postgresql_server: postgresql.Server, postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as one:
        one.execute("CREATE TABLE t (a int UNIQUE)")
        one.execute("SET lock_timeout = 1")
        assert understood(psycopg, lambda: one.execute("SELECT * FROM x")) is Trouble.NOT_PREPARED
        assert understood(psycopg, lambda: one.execute("SELECT b FROM t")) is Trouble.NOT_PREPARED
        assert understood(psycopg, lambda: one.execute("SELEC")) is None
        with psycopg.connect(postgresql_url) as other:
            other.execute("LOCK t")
            assert understood(psycopg, lambda: one.execute("SELECT * FROM t")) is Trouble.BUSY
        one.execute("SET default_transaction_read_only = on")
        assert understood(psycopg, lambda: one.execute("INSERT INTO t VALUES (1)")) is Trouble.AWAY
        postgresql_server.stop()
        try:
            assert understood(psycopg, lambda: one.execute("SELECT 1")) is Trouble.AWAY
            assert understood(psycopg, lambda: psycopg.connect(postgresql_url)) is Trouble.AWAY
        finally:
            postgresql_server.start()
    no_such = postgresql_server.url("nobody_made_this")
    assert understood(psycopg, lambda: psycopg.connect(no_such)) is Trouble.AWAY


def test_what_is_no_databases_fault_is_none() -> None:
    assert trouble(IntegrityError("duplicate")) is None
    assert trouble(ValueError()) is trouble(None) is None
