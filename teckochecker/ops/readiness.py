"""What has to hold before web server or cluster start: a database that was prepared, and the keys that it knows."""

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from secrets_app.crypto import KeyRing, KeyRingError
from secrets_app.models import KeyFingerprint
from teckochecker.kit import database_errors


def demand() -> None:
    """Raises CommandError with one line. Leaves no connection open, for who forks next."""
    try:
        _demand_tables()
        demand_keys()
    except DatabaseError as error:
        raise CommandError(database_errors.explain(error) or str(error)) from error
    finally:
        connections.close_all()


def demand_keys() -> None:
    try:
        KeyFingerprint.confirm(KeyRing.from_settings())
        KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
    except KeyRingError as error:
        raise CommandError(str(error)) from error


def _demand_tables() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise CommandError(database_errors.not_prepared(f"{len(missing)} migrations have not been applied."))
