"""Sees to it that a set of dependencies is installed once, by one at a time, however many need it at that moment."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from django.db import DatabaseError, connection
from django.utils import timezone

from customchecks.dependencies import eviction
from customchecks.dependencies.installation import PASSING, Installation
from customchecks.dependencies.models import LEASE_SECONDS, DependencySet, SetState
from customchecks.docker.engine import EngineError
from customchecks.docker.volumes import Volumes
from polling.base.results import Cause

logger = structlog.get_logger(__name__)

WAIT_SECONDS = 60.0  # a check that waits longer for somebody else's installation gives its place to others
LOOK_SECONDS = 0.5
USE_SLACK_SECONDS = 600  # from here until the container with the volume has been created, or a spare one has gone

Install = Callable[[str], Installation]


@dataclass(frozen=True, kw_only=True)
class ObtainedSet:
    """A set of dependencies: ``volume`` is ready to be mounted, or ``cause`` and ``message`` say why there is none."""

    volume: str = ""
    cause: Cause | None = None
    message: str = ""
    log: str = ""
    timings: dict[str, int] = field(default_factory=dict)


class Store:
    """The sets of dependencies of an engine. Thread-safe; one per process. Other processes are met in the database."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes
        self._turns: dict[str, _Turn] = {}
        self._lock = threading.Lock()

    def obtain(
        self, key: str, *, runtime: str, check_id: str, seconds: float, install: Install, circumstances: str = ""
    ) -> ObtainedSet:
        """``seconds`` is how long the check may take; ``install`` fills the volume of the name that it is given.

        A failure is remembered as long as the ``circumstances`` stay the same. Raises EngineError.
        """
        began = time.monotonic()
        if volume := self._ready(key, seconds):
            return ObtainedSet(volume=volume)
        patience = min(seconds, WAIT_SECONDS)
        with self._turn(key, patience) as mine:
            while mine:
                if found := self._known(key, seconds, circumstances):
                    return found
                installer = DependencySet.take(
                    key,
                    engine=self._volumes.engine_id(),
                    runtime=runtime,
                    check_id=check_id,
                    circumstances=circumstances,
                )
                if installer and (found := self._install(key, installer, install, seconds)):
                    return found
                if time.monotonic() - began > patience:
                    break
                time.sleep(LOOK_SECONDS)
        return ObtainedSet(
            cause=Cause.DEPS_FAILED,
            message=f"The dependencies are still being installed for another check, which this one has waited"
            f" {patience:.0f} seconds for.",
        )

    def _known(self, key: str, seconds: float, circumstances: str) -> ObtainedSet | None:
        if volume := self._ready(key, seconds):
            return ObtainedSet(volume=volume)
        held = DependencySet.objects.filter(key=key, state=SetState.FAILED, retry_at__gt=timezone.now())
        failed = held.filter(circumstances=circumstances).first()
        return ObtainedSet(cause=Cause.DEPS_FAILED, message=_failure(failed)) if failed else None

    def _ready(self, key: str, seconds: float) -> str:
        """The volume's name. One that somebody removed behind our back is forgotten."""
        volume = DependencySet.use(key, seconds=seconds + USE_SLACK_SECONDS)
        if not volume or self._volumes.there(volume):
            return volume
        logger.warning("dependencies_lost", key=key, volume=volume)
        DependencySet.forget(key, volume=volume)
        return ""

    def _install(self, key: str, installer: uuid.UUID, install: Install, seconds: float) -> ObtainedSet | None:
        """None where it took so long that the lease went to somebody else."""
        volume = DependencySet.volume_name(key, installer)
        try:
            self._volumes.create(volume)
            with _renewing(key, installer):
                result = install(volume)
        except EngineError:
            DependencySet.forget(key, volume=volume)
            raise
        if result.cause:
            self._volumes.remove(volume)
            return self._failed(key, installer, volume, result)
        slack = seconds + USE_SLACK_SECONDS
        if not DependencySet.installed(key, installer, size=result.size, log=result.log, seconds=slack):
            self._volumes.remove(volume)
            return None
        logger.info("dependencies_installed", key=key, volume=volume, size=result.size, ms=result.milliseconds)
        self._make_room()
        return ObtainedSet(volume=volume, log=result.log, timings={"install": result.milliseconds})

    def _make_room(self) -> None:
        """What cannot go now goes after the next installation: this one is of use without it."""
        try:
            eviction.make_room(self._volumes)
        except EngineError as error:
            logger.warning("dependencies_not_evicted", reason=str(error))

    def _failed(self, key: str, installer: uuid.UUID, volume: str, result: Installation) -> ObtainedSet:
        message = result.message
        if result.cause in PASSING:
            DependencySet.forget(key, volume=volume)
        else:
            DependencySet.failed(key, installer, error=result.message, log=result.log)
            failed = DependencySet.objects.filter(key=key, state=SetState.FAILED).first()
            message = _failure(failed) if failed else message
        logger.warning("dependencies_failed", key=key, cause=result.cause)
        return ObtainedSet(
            cause=result.cause, message=message, log=result.log, timings={"install": result.milliseconds}
        )

    @contextmanager
    def _turn(self, key: str, seconds: float) -> Iterator[bool]:
        """One thread of this process for each set; False where it was not our turn in time."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted += 1
        mine = turn.lock.acquire(timeout=seconds)
        try:
            yield mine
        finally:
            if mine:
                turn.lock.release()
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._turns[key]


class _Turn:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = 0


@contextmanager
def _renewing(key: str, installer: uuid.UUID) -> Iterator[None]:
    """Keeps the lease while the body runs; it goes to others when this process dies."""
    done = threading.Event()

    def renew() -> None:
        try:
            while not done.wait(LEASE_SECONDS / 3):
                try:
                    DependencySet.renew(key, installer)
                except DatabaseError as error:
                    logger.warning("lease_not_renewed", key=key, reason=str(error))
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name="dependencies-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _failure(failed: DependencySet) -> str:
    return f"{failed.error} Until {failed.retry_at:%H:%M:%S} UTC it is not tried again."
