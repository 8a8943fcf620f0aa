"""What can be wrong with the database itself: away, locked, full or not prepared, and what to say about it."""

import enum

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

LONGEST_REASON = 200
PREPARE = "Run manage.py prepare."
# https://www.sqlite.org/rescode.html
SQLITE_GENERIC, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_READONLY = 1, 5, 6, 7, 8
SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_CANTOPEN, SQLITE_NOTADB = 10, 11, 13, 14, 26


class Trouble(enum.Enum):
    """``seconds``: after how long it is worth another try."""

    AWAY = "The database does not answer.", 10
    BUSY = "The database is busy: another process holds it.", 5
    FULL = "The disk of the database is full: nothing can be stored until there is room.", 60
    NOT_PREPARED = "The database has not been prepared.", 60

    def __init__(self, sentence: str, seconds: int) -> None:
        self.sentence = sentence
        self.seconds = seconds


_SQLITE = {
    SQLITE_BUSY: Trouble.BUSY,
    SQLITE_LOCKED: Trouble.BUSY,
    SQLITE_FULL: Trouble.FULL,
    SQLITE_NOMEM: Trouble.AWAY,
    SQLITE_READONLY: Trouble.AWAY,
    SQLITE_IOERR: Trouble.AWAY,
    SQLITE_CORRUPT: Trouble.AWAY,
    SQLITE_CANTOPEN: Trouble.AWAY,
    SQLITE_NOTADB: Trouble.AWAY,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html; the longest beginning that fits
_POSTGRESQL = {
    "08": Trouble.AWAY,  # connection
    "25006": Trouble.AWAY,  # read only: a replica, or one that is being replaced
    "28": Trouble.AWAY,  # login
    "3D": Trouble.AWAY,  # no such database
    "3F": Trouble.NOT_PREPARED,  # no schema
    "40": Trouble.BUSY,  # deadlock, serialization
    "42P01": Trouble.NOT_PREPARED,  # no such table
    "42703": Trouble.NOT_PREPARED,  # no such column
    "53100": Trouble.FULL,
    "53": Trouble.BUSY,  # memory, connections
    "55P03": Trouble.BUSY,  # lock
    "57": Trouble.AWAY,  # shutdown, starting up
    "58": Trouble.AWAY,  # its disk
    "XX": Trouble.AWAY,  # damaged
}


def trouble(error: BaseException | None) -> Trouble | None:
    """None where the fault is not the database's, but that of whoever asked it."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF) or _missing_in_sqlite(code, str(error))
    state = getattr(cause, "sqlstate", None)
    if state:
        return next((_POSTGRESQL[state[:size]] for size in (5, 2) if state[:size] in _POSTGRESQL), None)
    return Trouble.AWAY if isinstance(error, InterfaceError | OperationalError) else None


def _missing_in_sqlite(code: int, message: str) -> Trouble | None:
    missing = message.startswith(("no such table", "no such column")) or " has no column named " in message
    return Trouble.NOT_PREPARED if code == SQLITE_GENERIC and missing else None


def explain(error: BaseException) -> str:
    """For whoever runs a command: which database, what it says, and what to do. Empty where it is not its fault."""
    return " ".join(finding(error)) if trouble(error) else ""


def finding(error: BaseException) -> tuple[str, str]:
    """What is wrong, and the remedy."""
    found = trouble(error)
    sentence = found.sentence if found else "The database failed."
    if found is Trouble.NOT_PREPARED:
        return f"{sentence} It is {_place()}.", f"{PREPARE}{_hint()}"
    reason = " ".join(str(error).split())[:LONGEST_REASON].rstrip(".?")
    return f"{sentence} It is {_place()}, and says: {reason}.", f"{_remedy(found)}{_hint()}"


def not_prepared(why: str) -> str:
    return f"{Trouble.NOT_PREPARED.sentence} It is {_place()}: {why} {PREPARE}{_hint()}"


def _remedy(found: Trouble | None) -> str:
    if found is Trouble.BUSY:
        return "Try again in a moment."
    if found is Trouble.FULL:
        return "Free some space on its disk."
    if connection.vendor == "sqlite":
        return "Look at the rights and the disk of its folder."
    return "Start it, or correct DATABASE_URL."


def _place() -> str:
    """Never with a password."""
    chosen = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"the SQLite file {chosen['NAME']}"
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    return f"the PostgreSQL database {chosen['NAME']} at {chosen['HOST'] or 'the local socket'}{port}"


def _hint() -> str:
    """Who forgets ``DATABASE_URL`` meets an empty file in place of the server's database."""
    return "" if settings.TECKO_DATABASE_NAMED else " DATABASE_URL is not set here: where the server has one, set it."
