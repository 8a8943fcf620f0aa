"""Runs one untrusted script in one hardened container: create, attach, start, ask, read the answer, remove."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self

import structlog
from django.conf import settings

from customchecks.docker.engine import Engine, EngineError, NotFound
from customchecks.docker.hardening import Spec
from customchecks.docker.volumes import Volumes
from customchecks.images import current, runtimes
from customchecks.network.bridge import EgressNetwork, Unprotected
from customchecks.sandbox import endings, outcome, status, stream
from customchecks.sandbox.containers import SLACK_SECONDS, Containers
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.removals import Removals
from customchecks.sandbox.request import SandboxRequest
from customchecks.sandbox.runs import Run, RunKilled
from customchecks.sandbox.spares import Spares
from customchecks.sandbox.starts import ImageMissing, Starts
from customchecks.sandbox.status import EngineStatus
from polling.base.crash_points import Point, reach
from polling.jobs.runners import Condition

logger = structlog.get_logger(__name__)

ENGINE_TIMEOUT_SECONDS = 15
CLOSE_SECONDS = 5.0
SPARE_SECONDS = 60.0


class Sandbox:
    """Where scripts run: an engine, a network, and all containers of one instance. Thread-safe; one per process.

    ``starts`` bounds how many containers are created and started at the same time: with more than four for each
    processor none ends sooner. Up to ``spares`` are started ahead.
    """

    def __init__(
        self,
        *,
        instance: str,
        ca_bundle: bytes = b"",
        egress_allow: Collection[str] = (),
        subnet: str = "",
        starts: int | None = None,
        spares: int = 0,
        spare_seconds: float = SPARE_SECONDS,
        engine: Engine | None = None,
        find_image: Callable[[str], str | None] | None = None,
        unprotected_allowed: bool = False,
    ) -> None:
        self._engine = engine or Engine(timeout=ENGINE_TIMEOUT_SECONDS)
        self._containers = Containers(self._engine, instance=instance)
        self._images = current.RememberedImages(find_image or partial(current.current, engine=self._engine))
        self._network = EgressNetwork(
            self._engine,
            instance=instance,
            image=self._images.any,
            allow=egress_allow,
            subnet=subnet,
            unprotected_allowed=unprotected_allowed,
        )
        self._files = {runtimes.CA_FILE: ca_bundle} if ca_bundle else {}
        # Changes with what decides whom a container reaches and trusts
        self.surroundings = hashlib.sha256(f"{sorted(egress_allow)} {subnet} {ca_bundle!r}".encode()).hexdigest()
        at_once = starts or 4 * (os.cpu_count() or 1)
        places = threading.BoundedSemaphore(at_once)
        self._removals = Removals(self._engine, at_once=at_once)
        self._spares = Spares(
            self._engine, self._containers, self._removals, most=spares, seconds=spare_seconds, starts=places
        )
        self._starts = Starts(self._engine, self._containers, self._removals, self._spares, places=places)
        self.volumes = Volumes(self._engine, instance=instance, mounted=self._spares.mount)
        self._runs: dict[str, Run] = {}
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def from_settings(cls) -> Self:
        return cls(
            instance=settings.TECKO_INSTANCE,
            ca_bundle=Path(settings.TECKO_CA_BUNDLE).read_bytes() if settings.TECKO_CA_BUNDLE else b"",
            egress_allow=settings.TECKO_EGRESS_ALLOW,
            subnet=settings.TECKO_SUBNET,
            spares=settings.TECKO_SPARE_CONTAINERS,
            unprotected_allowed=settings.TECKO_UNPROTECTED_NETWORK,
        )

    # One run

    def run(self, request: SandboxRequest) -> SandboxOutcome:
        """What can go wrong comes back as a cause.

        A container that has answered ends by itself and is removed within moments. Any other, and one that could write
        to a volume, is gone by now, or left to ``reap``.
        """
        run = Run(request)
        with self._registered(run):
            try:
                return run.ended(self._run_on_network(run))
            except ImageMissing:
                self._images.forget()
                return run.ended(outcome.image_missing(request.runtime))
            except Unprotected as error:
                return run.ended(outcome.unprotected(str(error)))
            except RunKilled:
                return run.ended(outcome.unprotected(run.unprotected) if run.unprotected else outcome.killed())
            except EngineError as error:
                return run.ended(outcome.engine_failed(error))

    @contextmanager
    def _registered(self, run: Run) -> Iterator[None]:
        with self._lock:
            run.killed = self._closed
            self._runs[run.request.claim_id] = run
        try:
            yield
        finally:
            with self._lock:
                self._runs.pop(run.request.claim_id, None)

    def _run_on_network(self, run: Run) -> SandboxOutcome:
        """Somebody may have removed our network since we last looked: then it is made again, once."""
        try:
            return self._run(run)
        except NotFound:
            self._network.forget()
            return self._run(run)

    def _run(self, run: Run) -> SandboxOutcome:
        spec = self._spec(run.request)
        with self._starts.container(run, spec) as connection:
            reach(Point.CONTAINER_STARTED)
            deadline = time.monotonic() + run.request.timeout_seconds + SLACK_SECONDS
            reply = stream.exchange(connection, run.frame(self._files), deadline=deadline)
            connection.close()
            answer = reply.answer(run.key)
            run.lap("answer")
            reach(Point.SCRIPT_ANSWERED)
            ended = endings.judge(self._engine, run, reply, answer)
            run.answered = answer is not None
        if answer:
            run.timings |= {"unpack": answer.unpack_ms, "script": answer.script_ms}
            self._spares.replenish(spec)
        return ended

    def _spec(self, request: SandboxRequest) -> Spec:
        image = self.image(request.runtime)
        if not image:
            raise ImageMissing
        if request.has_network:
            self._network.ensure()
        return Spec(
            image=image,
            network=self._network.name if request.has_network else "none",
            memory_mb=request.memory_mb,
            cpu_cores=self._cores(request.cpu_cores),
            volumes=request.volumes,
        )

    def _cores(self, wanted: float) -> float:
        """The engine refuses more than it has, which is no fault of its own: a job could ask for that for ever."""
        return wanted if wanted <= 1 else min(wanted, float(self._engine.info()["NCPU"]))

    # All runs of this instance

    def kill(self, claim_id: str) -> None:
        """Ends the claim's run wherever it is; a run of this process that has not started yet will not start."""
        with self._lock:
            if run := self._runs.get(claim_id):
                run.killed = True
        found = {container["Id"] for container in self._containers.found(claim=claim_id)}
        if run and run.container:
            found.add(run.container)  # a spare has a claim of its own
        for container in found:
            self._removals.now(container)

    def reap(self, live_claims: Collection[str], *, now: datetime) -> int:
        """Removes this instance's containers that nobody waits for or whose deadline has passed; returns how many.

        Also makes sure of the network's rules.
        """
        self._spares.expire()
        with self._lock:
            runs = list(self._runs.values())
        own = {run.request.claim_id for run in runs} | {run.container for run in runs}
        own |= self._spares.claims | self._removals.pending | {self._network.rule_container}
        removed = [
            self._removals.now(container) for container in self._containers.orphans(live_claims, own=own, now=now)
        ]
        self._protect()
        return sum(removed)

    def _protect(self) -> None:
        """Whatever runs while the rules cannot be set again is ended."""
        try:
            self._network.ensure()
        except EngineError as error:
            logger.warning("network_unchecked", reason=str(error))
        except Unprotected as error:
            with self._lock:
                exposed = [run for run in self._runs.values() if run.request.has_network and run.container]
                for run in exposed:
                    run.unprotected = str(error)
            for run in exposed:
                self._removals.now(run.container)

    # What others ask

    def image(self, runtime: str) -> str:
        """The id of the image that checks run in, empty where it has to be built. Raises EngineError."""
        return self._images.find(runtimes.named(runtime).name)

    def protect(self) -> str:
        """Sets the rules of a network that is there; returns why none hold, or would hold. Raises EngineError."""
        return self._network.obstacle()

    def condition(self) -> Condition:
        return status.condition(self._engine, self._images, self._network)

    def status(self) -> EngineStatus:
        return status.status(self._engine, self._images, self._network)

    # The end

    def settle(self, *, seconds: float) -> bool:
        """Waits for what is done behind the backs of checks; False where that takes longer."""
        end = time.monotonic() + seconds
        return self._spares.settle(end=end) and self._removals.settle(end=end)

    def close(self) -> None:
        """No run starts any more. Those that wait for a container end with it."""
        with self._lock:
            self._closed = True
            for run in self._runs.values():
                run.killed = True
        end = time.monotonic() + CLOSE_SECONDS
        self._spares.close(end=end)
        self._removals.settle(end=end)
        self._network.close()
        self._engine.close()

    def dismantle(self) -> bool:
        """Removes all of this instance but its images; False where the engine keeps the network."""
        end = time.monotonic() + CLOSE_SECONDS
        self._spares.clear(end=end)
        self._removals.settle(end=end)
        while found := self._containers.found():
            for container in found:
                self._removals.now(container["Id"])
            if time.monotonic() > end:
                break
            time.sleep(0.1)  # for removals that are somebody else's, and under way
        self.volumes.remove_all()
        return self._network.remove()
