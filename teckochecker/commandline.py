"""``manage.py``: Django's command line, where a database that is away or not prepared is one line."""

import sys
from collections.abc import Sequence

from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from teckochecker.kit import database_errors


def run(argv: Sequence[str]) -> None:
    try:
        execute_from_command_line(list(argv))
    except (DatabaseError, InterfaceError) as error:
        said = database_errors.explain(error)
        if not said or "--traceback" in argv:
            raise
        sys.exit(said)
