"""What has to hold before web server or cluster start: a database that was prepared, and the keys that it knows."""

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from secrets_app.crypto import KeyRing, KeyRingError
from secrets_app.models import KeyFingerprint
from teckochecker.kit import database_errors

OURS = frozenset({"access", "customchecks", "polling", "secrets_app"})  # apps with migrations; libraries drop old ones


def demand() -> None:
    """Raises CommandError with one line. Leaves no connection open, for who forks next."""
    try:
        demand_known_tables()
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


def demand_known_tables() -> None:
    """Raises CommandError where another version of TeckoChecker has made the database: columns may be missing."""
    loader = MigrationExecutor(connection).loader
    unknown = sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations.keys() - loader.disk_migrations.keys() if app in OURS
    )
    if unknown:
        raise CommandError(
            "The database was made by another version of TeckoChecker: this one does not know its migration "
            f"{unknown[-1]}. Run the version that made it, or begin with an empty database."
        )


def _demand_tables() -> None:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise CommandError(database_errors.not_prepared(f"{len(missing)} migrations have not been applied."))
