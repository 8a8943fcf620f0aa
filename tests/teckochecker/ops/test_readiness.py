"""Neither web server nor cluster starts on a database that another version of TeckoChecker has made."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from teckochecker.ops import readiness


def test_a_database_of_another_version_is_refused_by_name(db: None) -> None:
    MigrationRecorder(connection).record_applied("polling", "0042_of_tomorrow")
    with pytest.raises(CommandError, match=r"another version of TeckoChecker.*polling\.0042_of_tomorrow"):
        readiness.demand_known_tables()
    with pytest.raises(CommandError, match="begin with an empty database"):
        call_command("prepare", silent=True)


def test_a_library_may_have_dropped_a_migration(db: None) -> None:
    MigrationRecorder(connection).record_applied("auditlog", "0001_gone")
    readiness.demand_known_tables()
