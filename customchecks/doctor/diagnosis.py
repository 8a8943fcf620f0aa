"""What ``doctor`` looks at: everything that a check needs, each with what to do when it is missing."""

import enum
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from customchecks.dependencies import reachability
from customchecks.doctor import seccomp_probe
from customchecks.git import process
from customchecks.images import runtimes
from customchecks.installers import package_managers
from customchecks.jobs.models import CustomCheckJob
from customchecks.sandbox.sandbox import Sandbox
from customchecks.sandbox.status import EngineStatus
from polling.sending import undelivered
from polling.sweep import sweeper
from polling.sweep.models import LEASE_SECONDS
from secrets_app.crypto import DecryptionFailed, KeyRing, KeyRingError
from secrets_app.models import KeyFingerprint, Secret
from teckochecker.kit import database_errors

NEARLY_FULL_BYTES = 2 * 1024**3
ENGINE, INDEXES = "engine", "package indexes"
UNPROTECTED = (
    "Start a check, which sets the rules. Where they cannot be set, use a kernel with nf_tables and br_netfilter, and "
    "an engine that lets this user start a container with NET_ADMIN in the host's network. No script runs until then, "
    "unless TECKO_UNPROTECTED_NETWORK=yes."
)


class Level(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one thing. ``remedy`` is a sentence where ``level`` is not ok."""

    name: str
    level: Level
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    yield from _settings()
    yield from _sandbox()
    yield _indexes()
    yield _git()
    yield _database()
    yield _secrets()
    yield _sweep()
    yield _disk()
    yield _deliveries()


def _complaints() -> list[checks.CheckMessage]:
    return [message for message in checks.run_checks() if not message.is_silenced()]


def _sandbox() -> Iterator[Finding]:
    try:
        sandbox = Sandbox.from_settings()
    except (OSError, ValueError) as error:
        yield _failed("sandbox", f"Its settings cannot be used: {error}", "Correct what is reported above.")
        return
    try:
        status = sandbox.status()
        yield from _engine(status)
        if status.reachable:
            yield _seccomp(sandbox, status)
    finally:
        sandbox.close()


def _engine(status: EngineStatus) -> Iterator[Finding]:
    if not status.reachable:
        yield _failed(ENGINE, status.message, status.remedy)
        return
    yield _ok(ENGINE, f"Docker {status.version}")
    yield from _images(status)
    yield _network(status)


def _images(status: EngineStatus) -> Iterator[Finding]:
    """Of runtimes that no job asks for the default ones are enough."""
    for runtime, image in status.images.items():
        build = f"Run manage.py customcheck build-images --runtime {runtime}."
        if image:
            yield _ok(f"image {runtime}", image)
        elif runtime in runtimes.DEFAULTS or _is_wanted(runtime):
            yield _failed(f"image {runtime}", "It has to be built.", build)


def _is_wanted(runtime: str) -> bool:
    try:
        return CustomCheckJob.objects.filter(script_runtime__in=runtimes.words_of(runtime)).exists()
    except DatabaseError:
        return False


def _network(status: EngineStatus) -> Finding:
    network = status.network
    if network is None or not network.present:
        return _warning("network", "It is not there yet.", "Nothing: the first check makes it.")
    if not network.rules:
        return _failed("network", network.message, UNPROTECTED)
    if settings.TECKO_UNPROTECTED_NETWORK:
        detail = f"{network.name}, packet rules in force; TECKO_UNPROTECTED_NETWORK lets scripts run without them, too"
        return _failed("network", detail, "Take TECKO_UNPROTECTED_NETWORK out.")
    return _ok("network", f"{network.name}, packet rules in force")


def _indexes() -> Finding:
    """Where packages come from: a name that cannot be resolved here may be resolved in a container."""
    hosts = package_managers.index_hosts()
    found = reachability.obstacle(hosts)
    if found:
        return _warning(INDEXES, found.problem, f"{found.remedy} in the .env of TECKO_HOME.")
    return _ok(INDEXES, ", ".join(hosts))


def _seccomp(sandbox: Sandbox, status: EngineStatus) -> Finding:
    options = ", ".join(option.removeprefix("name=") for option in status.security_options)
    if "seccomp" not in options:
        return _failed("seccomp", options or "The engine has none.", "Use a kernel and an engine with seccomp.")
    if not status.images.get(seccomp_probe.RUNTIME):
        return _warning("seccomp", "The profile could not be tried.", "Build the runner image for Python.")
    if wrong := seccomp_probe.complaint(sandbox):
        return _failed("seccomp", wrong, "Use an engine and a runtime that take a seccomp profile.")
    return _ok("seccomp", "TeckoChecker's profile is in force, tried in a container")


def _git() -> Finding:
    remedy = f"Install Git {'.'.join(map(str, process.OLDEST))} or later."
    found = process.version()
    if found is None:
        return _warning("git", "It is not there: jobs cannot take their scripts from repositories.", remedy)
    shown = ".".join(map(str, found))
    return _ok("git", shown) if found >= process.OLDEST else _warning("git", f"{shown} is too old.", remedy)


def _settings() -> Iterator[Finding]:
    found = _complaints()
    for message in found:
        level = Level.FAILED if message.level >= checks.ERROR else Level.WARNING
        yield Finding(name=message.id or "settings", level=level, detail=message.msg, remedy=message.hint or "")
    if not found:
        yield _ok("settings", f"no complaints; home {settings.TECKO_HOME}")


def _database() -> Finding:
    prepare = "Run manage.py prepare."
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return _failed("database", *database_errors.finding(error))
    if missing:
        return _failed("database", f"{len(missing)} migrations have not been applied.", prepare)
    return _ok("database", f"{connection.vendor}, all migrations applied")


def _secrets() -> Finding:
    """Reads every secret once: a key that is missing shows here and not in the next check."""
    unreadable: list[str] = []
    count = 0
    try:
        KeyFingerprint.confirm(KeyRing.from_settings())
        KeyFingerprint.confirm_signing(settings.TECKO_SECRET_KEY)
        for secret in Secret.objects.iterator():
            count += 1
            try:
                secret.value()
            except DecryptionFailed:
                unreadable.append(secret.name)
    except KeyRingError as error:
        return _failed("secrets", str(error), "Set TECKO_KEYS and TECKO_SECRET_KEY in the .env of TECKO_HOME.")
    except DatabaseError:
        return _failed("secrets", "They cannot be read.", "Run manage.py prepare.")
    if unreadable:
        detail = f"{len(unreadable)} cannot be decrypted: {', '.join(sorted(unreadable)[:5])}"
        return _failed("secrets", detail, "Put the old key back into TECKO_KEYS.")
    return _ok("secrets", f"{count}, all readable with the keys of TECKO_KEYS")


def _sweep() -> Finding:
    start = "Start it: script/server, or manage.py qcluster."
    try:
        age = sweeper.heartbeat_age(sweeper.this_host())
    except DatabaseError:
        return _failed("sweep", "Its heartbeat cannot be read.", "Run manage.py prepare.")
    if age is None:
        return _warning("sweep", "It has never run here: no job is checked.", start)
    if age > LEASE_SECONDS:
        return _warning("sweep", f"Last seen {age:.0f} s ago: no job is checked.", start)
    return _ok("sweep", f"seen {age:.0f} s ago")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.TECKO_HOME).free
    detail = f"{free / 1024**3:.1f} GB free at {settings.TECKO_HOME}"
    remedy = "Free some space: the database, images and dependencies need it."
    if free < settings.TECKO_MIN_FREE_MB * 1024**2:
        return _failed("disk", detail, remedy)
    return _warning("disk", detail, remedy) if free < NEARLY_FULL_BYTES else _ok("disk", detail)


def _deliveries() -> Finding:
    try:
        count = undelivered.unseen()
    except DatabaseError:
        return _failed("deliveries", "They cannot be read.", "Run manage.py prepare.")
    if not count:
        return _ok("deliveries", "none has failed for good that nobody has looked at")
    silent = "" if settings.TECKO_ALERT_URL else " Set TECKO_ALERT_URL to be told of the next one."
    return _warning(
        "deliveries",
        f"{count} ended without being delivered, and nobody has looked at them.",
        "See: manage.py customcheck deliveries list --unseen. Then send them again (deliveries resend ID), or mark "
        f"them as seen on the admin's list of deliveries.{silent}",
    )


def _ok(name: str, detail: str) -> Finding:
    return Finding(name=name, level=Level.OK, detail=detail)


def _warning(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, level=Level.WARNING, detail=detail, remedy=remedy)


def _failed(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, level=Level.FAILED, detail=detail, remedy=remedy)
