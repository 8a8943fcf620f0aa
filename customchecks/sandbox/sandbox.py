"""Runs one untrusted script in one hardened container: create, attach, start, ask, read the answer, remove."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any, Self

import structlog
from django.conf import settings

from customchecks.docker.engine import Engine, EngineError, EngineUnavailable, NotFound
from customchecks.docker.hardening import Spec
from customchecks.docker.volumes import Volumes
from customchecks.images import current, runtimes
from customchecks.network.bridge import EgressNetwork, NetworkStatus, Unprotected
from customchecks.sandbox import runs, stream
from customchecks.sandbox.containers import BEYOND_SECONDS, SLACK_SECONDS, Containers
from customchecks.sandbox.removals import Removals
from customchecks.sandbox.runs import Killed, Run, SandboxOutcome, SandboxRequest
from customchecks.sandbox.spares import Spares
from polling.base import disk_space
from polling.base.crash_points import Point, reach
from polling.base.results import Cause
from polling.jobs.runners import Condition, Fault

__all__ = ["EngineStatus", "Sandbox", "SandboxOutcome", "SandboxRequest"]

logger = structlog.get_logger(__name__)

ENGINE_TIMEOUT = 15
CLOSE_SECONDS = 5.0
SPARE_SECONDS = 60.0
STATE_SECONDS = 3.0
EVENT_SECONDS = 2.0  # by which the engine tells of an end later than it has happened


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """``images`` maps each runtime's word to an image id, "" where it has to be built.

    ``message`` says why not reachable, and ``remedy`` what to do about it.
    """

    reachable: bool
    message: str = ""
    remedy: str = ""
    version: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    network: NetworkStatus | None = None
    security_options: tuple[str, ...] = ()


class _ImageMissing(Exception):
    """The runner image has to be built."""


class Sandbox:
    """Thread-safe; one per process.

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
        self._engine = engine or Engine(timeout=ENGINE_TIMEOUT)
        self._containers = Containers(self._engine, instance=instance)
        self._images = current.Remembered(find_image or partial(current.current, engine=self._engine))
        self._network = EgressNetwork(
            self._engine,
            instance=instance,
            image=self._any_image,
            allow=egress_allow,
            subnet=subnet,
            unprotected_allowed=unprotected_allowed,
        )
        self._files = {runtimes.CA_FILE: ca_bundle} if ca_bundle else {}
        # Changes with what decides whom a container reaches and trusts
        self.surroundings = hashlib.sha256(f"{sorted(egress_allow)} {subnet} {ca_bundle!r}".encode()).hexdigest()
        at_once = starts or 4 * (os.cpu_count() or 1)
        self._starts = threading.BoundedSemaphore(at_once)
        self._removals = Removals(self._engine, at_once=at_once)
        self._spares = Spares(
            self._engine,
            self._containers,
            self._removals,
            most=spares,
            seconds=spare_seconds,
            starts=self._starts,
        )
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

    def run(self, request: SandboxRequest) -> SandboxOutcome:
        """What can go wrong comes back as a cause.

        A container that has answered ends by itself and is removed within moments. Any other, and one that could write
        to a volume, is gone by now, or left to ``reap``.
        """
        run = Run(request)
        with self._registered(run):
            try:
                return run.ended(self._run_on_network(run))
            except _ImageMissing:
                return run.ended(SandboxOutcome(cause=Cause.IMAGE_MISSING, message=_missing(request.runtime)))
            except Unprotected as error:
                return run.ended(runs.unprotected(str(error)))
            except Killed:
                return run.ended(runs.ended_from_outside(run))
            except EngineError as error:
                cause = Cause.DISK_FULL if disk_space.is_full(error) else Cause.ENGINE_UNAVAILABLE
                return run.ended(SandboxOutcome(cause=cause, message=str(error)))

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
        own |= self._spares.claims | self._removals.pending | {self._network.keeper}
        removed = [
            self._removals.now(container) for container in self._containers.orphans(live_claims, own=own, now=now)
        ]
        self._protect()
        return sum(removed)

    def protect(self) -> str:
        """Sets the rules of a network that is there; returns why none hold, or would hold. Raises EngineError."""
        return self._network.obstacle()

    def condition(self) -> Condition:
        """As health shows it: the rules as they were found when they were last looked at."""
        try:
            places = (Path(self._engine.info()["DockerRootDir"]),)
            faults = [] if self._any_image() else [Fault("engine", "No runner image is built.")]
        except EngineError:
            return Condition(faults=(Fault("engine", "The Docker Engine does not answer."),))
        if self._network.complaint:
            optional = self._network.unprotected_allowed
            message = "The packet rules of the network do not hold" + (
                ": scripts run without them, as the operator wants." if optional else ": no script runs without them."
            )
            faults.append(Fault("rules", message, checks_run=optional))
        return Condition(faults=tuple(faults), places=places)

    def status(self) -> EngineStatus:
        try:
            info = self._engine.info()
            return EngineStatus(
                reachable=True,
                version=info["ServerVersion"],
                images={row.word: self._images.find(row.name) for row in runtimes.ROWS},
                network=self._network.status(),
                security_options=tuple(info.get("SecurityOptions") or ()),
            )
        except EngineError as error:
            return EngineStatus(reachable=False, message=str(error), remedy=error.remedy)

    def image(self, runtime: str) -> str:
        """The id of the image that checks run in, empty where it has to be built. Raises EngineError."""
        return self._images.find(runtimes.named(runtime).name)

    def _any_image(self) -> str:
        """All of them hold the Python that packet rules can be set with."""
        return next(filter(None, (self._images.find(row.name) for row in runtimes.ROWS)), "")

    def _protect(self) -> None:
        """Whatever runs while the rules cannot be set again is ended."""
        try:
            self._network.ensure()
        except EngineError as error:
            logger.warning("network_unchecked", reason=str(error))
        except Unprotected as error:
            with self._lock:
                exposed = [run for run in self._runs.values() if run.request.network != "none" and run.container]
                for run in exposed:
                    run.unprotected = str(error)
            for run in exposed:
                self._removals.now(run.container)

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

    def settle(self, *, seconds: float) -> bool:
        """Waits for what is done behind the backs of checks; False where that takes longer."""
        end = time.monotonic() + seconds
        return self._spares.settle(end=end) and self._removals.settle(end=end)

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
        request = run.request
        spec = self._spec(request)
        with ExitStack() as stack:
            connection = self._spare(run, spec, stack) or self._start(run, spec, stack)
            reach(Point.CONTAINER_STARTED)
            deadline = time.monotonic() + request.timeout_seconds + SLACK_SECONDS
            reply = stream.exchange(connection, self._frame(run), deadline=deadline)
            connection.close()
            answer = reply.answer(run.key)
            run.lap("answer")
            reach(Point.SCRIPT_ANSWERED)
            result = self._judge(run, run.container, reply, answer)
            run.answered = answer is not None
        if answer:
            run.timings |= {"unpack": answer.unpack_ms, "script": answer.script_ms}
            self._spares.replenish(spec)
        return result

    def _spec(self, request: SandboxRequest) -> Spec:
        image = self.image(request.runtime)
        if not image:
            raise _ImageMissing
        network = "none"
        if request.network != "none":
            self._network.ensure()
            network = self._network.name
        return Spec(
            image=image,
            network=network,
            memory_mb=request.memory_mb,
            cpu_cores=self._cores(request.cpu_cores),
            volumes=request.volumes,
        )

    def _cores(self, wanted: float) -> float:
        """The engine refuses more than it has, which is no fault of its own: a job could ask for that for ever."""
        return wanted if wanted <= 1 else min(wanted, float(self._engine.info()["NCPU"]))

    def _spare(self, run: Run, spec: Spec, stack: ExitStack) -> socket | None:
        """The streams of a container that was started ahead, where there is one."""
        spare = None if run.request.writes else self._spares.take(spec)
        if not spare:
            return None
        run.container = spare.container
        stack.callback(self._leave, run)
        stack.enter_context(spare.connection)
        run.check_wanted()
        run.lap("spare")
        return spare.connection

    def _start(self, run: Run, spec: Spec, stack: ExitStack) -> socket:
        with self._starts:
            run.lap("queue")
            run.check_wanted()
            run.container = self._create(run, spec)
            stack.callback(self._leave, run)
            run.lap("create")
            reach(Point.CONTAINER_CREATED)
            connection = stack.enter_context(self._engine.attach(run.container))
            self._engine.start(run.container)
            run.check_wanted()
            run.lap("start")
        return connection

    def _create(self, run: Run, spec: Spec) -> str:
        request = run.request
        seconds = request.timeout_seconds + BEYOND_SECONDS
        try:
            return self._containers.create(spec, claim=request.claim_id, purpose=request.purpose, seconds=seconds)
        except NotFound as error:
            self._images.forget()
            raise _ImageMissing from error

    def _frame(self, run: Run) -> bytes:
        request = run.request
        files = self._files if request.network != "none" else {}
        own = runtimes.named(request.runtime).environment(request.memory_mb, bool(files))
        return stream.request_frame(
            key=run.key,
            timeout_seconds=request.timeout_seconds,
            argv=request.argv,
            env={**own, **request.env},
            archive=request.archive,
            files=files,
        )

    def _judge(self, run: Run, container: str, reply: stream.Reply, answer: stream.Answer | None) -> SandboxOutcome:
        """The engine is asked only where the launcher could not tell: its own count of OOM kills is the kernel's."""
        request = run.request
        if answer and answer.oom_kills >= 0:
            return runs.from_answer(answer, request, oom=False)
        state = self._last_state(container, ended=not reply.late)
        if answer:
            return runs.from_answer(answer, request, oom=bool(state.get("OOMKilled")))
        if run.unprotected:
            return runs.unprotected(run.unprotected)
        if not run.killed:
            said = bytes(reply.diagnostics).decode(errors="replace")
            logger.warning("sandbox_lost", claim=request.claim_id, launcher=said)
        ended = not run.killed and not reply.late and self._was_ended(container, state)
        return runs.without_answer(state, request, late=reply.late, killed=run.killed, ended=ended)

    def _was_ended(self, container: str, state: Mapping[str, Any]) -> bool:
        """Whether somebody asked the engine for the container's end, or the engine has begun anew, or lost our streams.

        Nothing that runs in a container can cause any of them.
        """
        if not state or state["Running"]:
            return True
        until = datetime.fromisoformat(state["FinishedAt"]).timestamp() + EVENT_SECONDS
        known = self._engine.events(container, until=until)
        return not known or "kill" in known

    def _last_state(self, container: str, *, ended: bool) -> Mapping[str, Any]:
        """Empty where somebody has removed the container. An end shows a moment after the stream has closed."""
        try:
            if ended:
                with suppress(EngineUnavailable):
                    self._engine.wait(container, timeout=STATE_SECONDS)
            return dict(self._engine.inspect(container)["State"])
        except NotFound:
            return {}

    def _leave(self, run: Run) -> None:
        """Who could write to a volume is waited for: whoever asked wants the volume next."""
        removed = partial(reach, Point.CONTAINER_REMOVED)
        if run.answered and not run.request.writes:
            self._removals.later(run.container, then=removed)
        else:
            self._removals.now(run.container)
            removed()


def _missing(runtime: str) -> str:
    build = f"manage.py customcheck build-images --runtime {runtime}"
    return f"The runner image for {runtime} is missing or out of date. Build it: {build}"
