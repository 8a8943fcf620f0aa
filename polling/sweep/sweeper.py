"""The loop that runs checks: claims what is due, runs each claim in a thread, records the answers, cleans up.

One sweep a host, held by a lease. It stays on duty for up to an hour, then starts its successor and drains.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Self

import psutil
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from django.utils.module_loading import import_string
from django_q.brokers import Broker
from django_q.status import Stat
from django_q.tasks import async_task

from polling.base import clock
from polling.base.clock import Clock
from polling.base.crash_points import Point, reach
from polling.base.outage import Outage
from polling.base.results import CheckResult
from polling.jobs import claims, registry
from polling.jobs.deadlines import Deadlines
from polling.jobs.runners import Runner
from polling.jobs.scheduling import Claim, ScheduledJob
from polling.sending.courier import Courier
from polling.sweep import corrections
from polling.sweep.conditions import Reporter
from polling.sweep.models import SweepLease
from polling.sweep.recording import Recorder, crashed

logger = structlog.get_logger(__name__)

PASS_SECONDS = 0.5
UPKEEP_SECONDS = 2.0
DUTY_SECONDS = 3600.0
GRACE_SECONDS = 30.0
# After an outage: what waited is written down before a deadline is enforced, and claims are renewed before one expires
SETTLING_SECONDS = 10.0
KILLERS = 8
HOST_MEMORY_SHARE = 0.85
SLOTS_PER_CORE = 20


TAKEN = (
    "Another machine checks jobs under this instance's name: its home or disk was copied. Stop the server here, delete "
    "instance.json in its TECKO_HOME, and start it again."
)


def this_host() -> str:
    """Names this machine's sweep, its claims and its containers."""
    return str(settings.TECKO_INSTANCE)


def heartbeat_age(host: str) -> float | None:
    """Seconds since the sweep of this host was last seen; None where there was none yet."""
    lease = SweepLease.objects.filter(pk=host).first()
    return None if lease is None else (clock.wall() - lease.heartbeat_at).total_seconds()


def cluster_is_stopping() -> bool:
    """True when the django-q2 cluster that runs this process was told to stop, or is gone."""
    parent = os.getppid()
    # Statuses are in the cache; without a broker that is none it asks the database, which may be away
    mine = [stat for stat in Stat.get_all(Broker()) if stat.sentinel == parent]
    return parent == 1 or any(stat.status in ("Stopping", "Stopped") for stat in mine)


@dataclass(frozen=True)
class Capacity:
    """How much this host runs at once: checks, and megabytes of container memory."""

    checks: int
    memory_mb: int

    @classmethod
    def of_this_host(cls, configured: int) -> Self:
        memory = int(psutil.virtual_memory().total / 1024**2 * HOST_MEMORY_SHARE)
        return cls(checks=min(configured, SLOTS_PER_CORE * (os.cpu_count() or 1)), memory_mb=memory)


@dataclass
class Room:
    """What is left of a host's capacity. A job that is larger than the host may still run alone."""

    runners: Mapping[type[ScheduledJob], Runner]
    checks: int
    memory_mb: int
    alone: bool

    def fits(self, job: ScheduledJob) -> bool:
        needed = self.runners[type(job)].memory_mb(job)
        if self.checks < 1 or (needed > self.memory_mb and not self.alone):
            return False
        self.checks -= 1
        self.memory_mb -= needed
        self.alone = False
        return True


@dataclass(frozen=True)
class Flight:
    """A check that is running in this sweep."""

    claim: Claim
    runner: Runner


class Sweeper:
    """``stopping`` is asked once a pass; a sweep that is told to stop gives running checks ``GRACE_SECONDS``."""

    def __init__(
        self,
        *,
        host: str,
        capacity: Capacity,
        stopping: Callable[[], bool],
        kinds: Collection[type[ScheduledJob]] | None = None,
        duty_seconds: float = DUTY_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self.host = host
        self.sweep_id = uuid.uuid4()
        self._capacity = capacity
        self._kinds = registry.kinds() if kinds is None else kinds
        self._stopping = stopping
        self._duty_seconds = duty_seconds
        self._grace_seconds = grace_seconds
        self._runners: dict[type[ScheduledJob], Runner] = {}
        self._flights: dict[uuid.UUID, Flight] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._upkeep_due = 0.0
        self._clock = clock or Clock()
        self._outage = Outage()
        self._recorder = Recorder(self._clock, self._outage)
        self._reporter = Reporter(floor_mb=settings.TECKO_MIN_FREE_MB)
        self._deadlines = Deadlines(self._kinds, clock=self._clock)
        self._housekeeper = ThreadPoolExecutor(1, thread_name_prefix="housekeeping")
        self._tidying: Future[None] | None = None

    @classmethod
    def from_settings(cls, *, host: str) -> Self:
        capacity = Capacity.of_this_host(settings.TECKO_MAX_CONCURRENT_CHECKS)
        return cls(host=host, capacity=capacity, stopping=cluster_is_stopping)

    def run(self) -> str:
        if not self._persistently(self._take_lease):
            return self._not_needed()
        logger.info("sweep_started", host=self.host, slots=self._capacity.checks)
        self._runners = {kind: import_string(kind.runner)() for kind in self._kinds}
        self._reporter.begin(kind.kind for kind in self._kinds)
        self._safely(lambda: corrections.take_up(self.host, self._kinds))
        threads = ThreadPoolExecutor(self._capacity.checks, thread_name_prefix="check")
        courier = Courier.from_settings(outage=self._outage)
        courier.start()
        try:
            stopped = self._on_duty(threads)
            courier.stop()
            self._drain(stopped=stopped)
        finally:
            self._give_up()
            courier.close()
            threads.shutdown(wait=False, cancel_futures=True)
            self._housekeeper.shutdown(wait=False, cancel_futures=True)
        logger.info("sweep_ended", host=self.host, stopped=stopped)
        return "stopped" if stopped else "handed over"

    def _on_duty(self, threads: ThreadPoolExecutor) -> bool:
        """Returns True when it was told to stop, False when its time was up or its lease was taken."""
        end = time.monotonic() + self._duty_seconds
        while time.monotonic() < end:
            if self._stopping():
                self._safely(self._leave_lease)
                return True
            if not self._safely(lambda: self._pass(threads)):
                return False
            self._wake.wait(PASS_SECONDS)
            self._wake.clear()
        self._persistently(self._leave_lease)
        self._persistently(lambda: bool(async_task("polling.tasks.sweep", task_name="sweep")))
        return self._stopping()

    def _not_needed(self) -> str:
        lease = SweepLease.objects.filter(pk=self.host).first()
        if lease and lease.elsewhere:
            logger.error("instance_name_taken", host=self.host, reason=TAKEN)
        return "another sweep is on duty"

    def _take_lease(self) -> bool:
        return SweepLease.take(self.host, sweep_id=self.sweep_id, now=self._clock.now())

    def _leave_lease(self) -> bool:
        SweepLease.leave(self.host, sweep_id=self.sweep_id)
        return True

    def _persistently(self, action: Callable[[], bool]) -> bool:
        """Until the database lets it be done. False where it refuses, or the sweep is told to stop first."""
        while not self._stopping():
            try:
                return action()
            except (DatabaseError, InterfaceError) as error:
                if not self._outage.noted(error):
                    raise
                time.sleep(PASS_SECONDS)
        return False

    def _safely(self, action: Callable[[], bool | None]) -> bool:
        """The loop must not die of one bad pass; what was not done is due in the next one. False: go no further."""
        try:
            proceed = action() is not False
            self._outage.over()
            return proceed
        except Exception as error:
            if not self._outage.noted(error):
                logger.exception("sweep_pass_failed")
            time.sleep(PASS_SECONDS)
            return True

    def _pass(self, threads: ThreadPoolExecutor) -> bool:
        if time.monotonic() >= self._upkeep_due:
            self._deadlines.follow()
            self._reporter.look()
            report = self._reporter.report()
            if not SweepLease.renew(self.host, sweep_id=self.sweep_id, now=self._clock.now(), report=report):
                return False
            self._upkeep()
            self._upkeep_due = time.monotonic() + UPKEEP_SECONDS
        self._start_due(threads, self._clock.now())
        return True

    # Starting

    def _start_due(self, threads: ThreadPoolExecutor, now: datetime) -> None:
        kinds = [kind for kind in self._kinds if kind.objects.due(now).exists()]
        if not kinds or self._reporter.paused:
            return
        room = self._room()
        if room.checks < 1:
            return
        for kind in sorted(kinds, key=lambda kind: len(self._of_kind(kind))):  # no kind starves another
            for job, claim in claims.claim_due(kind, host=self.host, now=now, fits=room.fits, most=max(room.checks, 0)):
                self._start(threads, job, claim)

    def _room(self) -> "Room":
        """Counted in the database: a predecessor may still be draining."""
        running = [job for kind in self._kinds for job in kind.objects.in_flight(self.host)]
        memory = sum(self._runners[type(job)].memory_mb(job) for job in running)
        return Room(
            self._runners, self._capacity.checks - len(running), self._capacity.memory_mb - memory, alone=not running
        )

    def _start(self, threads: ThreadPoolExecutor, job: ScheduledJob, claim: Claim) -> None:
        reach(Point.JOB_CLAIMED)
        runner = self._runners[claim.kind]
        with self._lock:
            self._flights[claim.claim_id] = Flight(claim, runner)
        threads.submit(self._check, job, claim, runner)

    def _check(self, job: ScheduledJob, claim: Claim, runner: Runner) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(job_id=claim.job_id, kind=job.kind, check_id=str(claim.check_id))
        try:
            reach(Point.CHECK_STARTED)
            result = _answer(runner, job, claim)
            reach(Point.CHECK_ANSWERED)
            self._recorder.record(claim, result)
        except Exception:
            logger.exception("check_not_recorded")  # the claim expires and the job runs again
        finally:
            with self._lock:
                self._flights.pop(claim.claim_id, None)
            connections.close_all()  # the thread may never run again
            self._wake.set()

    # Upkeep

    def _upkeep(self) -> None:
        """Only what the database does: an engine that hangs must not keep us from renewing claims."""
        self._renew()
        if self._outage.calm_for(SETTLING_SECONDS):
            self._deadlines.enforce()
        now = self._clock.now()
        for kind in self._kinds:
            claims.pull_back(kind, now=now)
            # Others could not renew theirs either
            if self._outage.calm_for(claims.CLAIM_SECONDS) and (recovered := claims.recover(kind, now=now)):
                logger.warning("checks_recovered", kind=kind.kind, count=recovered)
        if self._tidying is None or self._tidying.done():
            self._tidying = self._housekeeper.submit(self._tidy)

    def _tidy(self) -> None:
        for kind, runner in self._runners.items():
            try:
                runner.reap(self._live(kind))
                self._reporter.examine(kind.kind, runner)
            except Exception:
                logger.exception("reaping_failed", kind=kind.kind)
        connections.close_all()

    def _renew(self) -> None:
        for claim in claims.renew(self._claims(), now=self._clock.now()):
            if claim in self._claims():  # else it was recorded a moment ago
                logger.info("claim_lost", job_id=claim.job_id, check_id=str(claim.check_id))
                self._housekeeper.submit(self._runners[claim.kind].kill, claim)

    def _live(self, kind: type[ScheduledJob]) -> Collection[str]:
        claimed = kind.objects.in_flight(self.host).values_list("claim_id", flat=True)
        return {str(claim_id) for claim_id in claimed}

    def _claims(self) -> list[Claim]:
        with self._lock:
            return [flight.claim for flight in self._flights.values()]

    def _of_kind(self, kind: type[ScheduledJob]) -> list[Claim]:
        return [claim for claim in self._claims() if claim.kind is kind]

    # Ending

    def _drain(self, *, stopped: bool) -> None:
        """Lets running checks end. After a stop they have the grace period."""
        end = time.monotonic() + self._grace_seconds if stopped else float("inf")
        while self._claims() and time.monotonic() < end:
            stopped = stopped or self._stopping()
            end = min(end, time.monotonic() + self._grace_seconds) if stopped else end
            self._safely(self._renew)
            self._wake.wait(PASS_SECONDS)
            self._wake.clear()

    def _give_up(self) -> None:
        """The jobs of what still runs are due again; the containers end now, and with this process at the latest."""
        self._recorder.close()
        left = self._claims()
        for claim in left:
            if not self._outage.lasts:  # else they expire
                self._safely(partial(claims.release, claim, now=self._clock.now()))
        for runner in self._runners.values():
            runner.close()
        with ThreadPoolExecutor(KILLERS, thread_name_prefix="kill") as killers:
            for claim in left:
                killers.submit(self._runners[claim.kind].kill, claim)


def _answer(runner: Runner, job: ScheduledJob, claim: Claim) -> CheckResult:
    try:
        return runner.check(job, claim)
    except Exception as error:
        logger.exception("check_crashed")
        return crashed(error)
