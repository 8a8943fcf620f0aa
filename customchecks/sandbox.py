"""Runs one untrusted script in one hardened container: create, attach, start, ask, read the answer, remove."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import structlog
from django.conf import settings

from customchecks import hardening, images, runs, stream
from customchecks.engine import Conflict, Engine, EngineError, EngineUnavailable, NotFound
from customchecks.network import EgressNetwork, NetworkStatus
from customchecks.runs import Killed, Run, SandboxOutcome, SandboxRequest
from customchecks.volumes import Volumes
from polling.crashpoints import Point, reach
from polling.results import Cause

__all__ = ["EngineStatus", "Sandbox", "SandboxOutcome", "SandboxRequest"]

logger = structlog.get_logger(__name__)

ENGINE_TIMEOUT = 15
IMAGE_SECONDS = 10.0
SLACK_SECONDS = 15  # for a launcher beyond the script's own time: to unpack, to end it, to answer
REAP_SECONDS = 60  # and for us, before anybody else removes the container
REMOVE_ATTEMPTS = 2
STATE_SECONDS = 3.0
CA_FILE = "ca.pem"
# NODE_EXTRA_CA_CERTS would cost 130 ms at every start; this option reads SSL_CERT_FILE when it is needed
TRUST = {"NODE_OPTIONS": "--use-openssl-ca"} | dict.fromkeys(
    ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"), f"{hardening.FILES}/{CA_FILE}"
)


@dataclass(frozen=True, kw_only=True)
class EngineStatus:
    """``images`` maps each runtime to an image id, "" where it has to be built. ``message`` says why not reachable."""

    reachable: bool
    message: str = ""
    version: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    network: NetworkStatus | None = None
    security_options: tuple[str, ...] = ()


class _ImageMissing(Exception):
    """The runner image has to be built."""


class Sandbox:
    """Thread-safe; one per process.

    ``starts`` bounds how many containers are created and started at the same time: more than two for each processor
    make every start slower, and none of them sooner.
    """

    def __init__(
        self,
        *,
        instance: str,
        ca_bundle: bytes = b"",
        egress_allow: Collection[str] = (),
        subnet: str = "",
        starts: int | None = None,
        engine: Engine | None = None,
        find_image: Callable[[str], str | None] | None = None,
    ) -> None:
        self._instance = instance
        self._engine = engine or Engine(timeout=ENGINE_TIMEOUT)
        self.volumes = Volumes(self._engine, instance=instance)
        self._network = EgressNetwork(self._engine, instance=instance, allow=egress_allow, subnet=subnet)
        self._images = _Images(find_image or partial(images.current, engine=self._engine))
        self._files = {CA_FILE: ca_bundle} if ca_bundle else {}
        self._starts = threading.BoundedSemaphore(starts or 2 * (os.cpu_count() or 1))
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
        )

    def run(self, request: SandboxRequest) -> SandboxOutcome:
        """What can go wrong comes back as a cause. The container is gone afterwards, or left to ``reap``."""
        run = Run(request)
        with self._registered(run):
            try:
                return run.ended(self._run_on_network(run))
            except _ImageMissing:
                return run.ended(SandboxOutcome(cause=Cause.IMAGE_MISSING, message=_missing(request.runtime)))
            except Killed:
                return run.ended(SandboxOutcome(cause=Cause.RUNNER_LOST, message="The check was ended from outside."))
            except EngineError as error:
                return run.ended(SandboxOutcome(cause=Cause.ENGINE_UNAVAILABLE, message=str(error)))

    def kill(self, claim_id: str) -> None:
        """Ends the claim's run wherever it is; a run of this process that has not started yet will not start."""
        with self._lock:
            if run := self._runs.get(claim_id):
                run.killed = True
        for container in self._containers(claim=claim_id):
            self._remove(container["Id"])

    def reap(self, live_claims: Collection[str], *, now: datetime) -> int:
        """Removes this instance's containers that nobody waits for or whose deadline has passed; returns how many.

        Also makes sure of the network's rules. A "test" has no claim and is left alone until its deadline.
        """
        containers = self._containers()
        with self._lock:
            own = set(self._runs)  # their threads have deadlines of their own, which no clock can move
        strange = [item for item in containers if item["Labels"].get(hardening.CLAIM) not in own]
        removed = [self._remove(item["Id"]) for item in strange if _orphaned(item["Labels"], live_claims, now)]
        try:
            self._network.ensure()
        except EngineError as error:
            logger.warning("network_unchecked", reason=str(error))
        return sum(removed)

    def status(self) -> EngineStatus:
        try:
            info = self._engine.info()
            return EngineStatus(
                reachable=True,
                version=info["ServerVersion"],
                images={runtime: self._images.find(runtime) for runtime in images.TAGS},
                network=self._network.status(),
                security_options=tuple(info.get("SecurityOptions") or ()),
            )
        except EngineError as error:
            return EngineStatus(reachable=False, message=str(error))

    def image(self, runtime: str) -> str:
        """The id of the image that checks run in, empty where it has to be built. Raises EngineError."""
        return self._images.find(runtime)

    def dismantle(self) -> bool:
        """Removes all of this instance but its images; False where the engine keeps the network."""
        for container in self._containers():
            self._remove(container["Id"])
        self.volumes.remove_all()
        return self._network.remove()

    def close(self) -> None:
        """No run starts any more. Those that wait for a container end with it."""
        with self._lock:
            self._closed = True
            for run in self._runs.values():
                run.killed = True
        self._engine.close()

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
        with ExitStack() as stack:
            with self._starts:
                run.lap("queue")
                run.check_wanted()
                container = self._create(run)
                stack.callback(self._remove, container)
                run.lap("create")
                reach(Point.CONTAINER_CREATED)
                connection = stack.enter_context(self._engine.attach(container))
                self._engine.start(container)
                run.check_wanted()
                run.lap("start")
                reach(Point.CONTAINER_STARTED)
            deadline = time.monotonic() + request.timeout_seconds + SLACK_SECONDS
            reply = stream.exchange(connection, self._frame(run), deadline=deadline)
            connection.close()
            answer = reply.answer(run.key)
            run.lap("answer")
            reach(Point.SCRIPT_ANSWERED)
            result = self._judge(run, container, reply, answer)
        run.lap("remove")
        reach(Point.CONTAINER_REMOVED)
        if answer:
            run.timings |= {"unpack": answer.unpack_ms, "script": answer.script_ms}
        return result

    def _create(self, run: Run) -> str:
        request = run.request
        network = "none"
        if request.network != "none":
            self._network.ensure()
            network = self._network.name
        body = hardening.container(
            image=self._images.id(request.runtime),
            labels=self._labels(
                claim=request.claim_id,
                purpose=request.purpose,
                deadline=str(int(time.time()) + request.timeout_seconds + SLACK_SECONDS + REAP_SECONDS),
            ),
            network=network,
            memory_mb=request.memory_mb,
            cpu_cores=request.cpu_cores,
            volumes=request.volumes,
        )
        try:
            return self._engine.create(body)
        except NotFound as error:
            self._images.forget()
            raise _ImageMissing from error

    def _frame(self, run: Run) -> bytes:
        request = run.request
        files = self._files if request.network != "none" else {}
        trust = TRUST if files else {}
        return stream.request_frame(
            key=run.key,
            timeout_seconds=request.timeout_seconds,
            argv=request.argv,
            env={**trust, **request.env},
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
        if not run.killed:
            said = bytes(reply.diagnostics).decode(errors="replace")
            logger.warning("sandbox_lost", claim=request.claim_id, launcher=said)
        return runs.without_answer(state, request, late=reply.late, killed=run.killed)

    def _last_state(self, container: str, *, ended: bool) -> Mapping[str, Any]:
        """Empty where somebody has removed the container. An end shows a moment after the stream has closed."""
        try:
            if ended:
                with suppress(EngineUnavailable):
                    self._engine.wait(container, timeout=STATE_SECONDS)
            return dict(self._engine.inspect(container)["State"])
        except NotFound:
            return {}

    def _containers(self, **labels: str) -> list[dict[str, Any]]:
        try:
            return self._engine.containers(self._labels(**labels))
        except EngineError as error:
            logger.warning("containers_unknown", reason=str(error))
            return []

    def _labels(self, **labels: str) -> dict[str, str]:
        return hardening.labels(instance=self._instance, **labels)

    def _remove(self, container: str) -> bool:
        """False where it was gone already, or could not be removed now: then ``reap`` does it."""
        for attempt in range(REMOVE_ATTEMPTS):
            time.sleep(0.5 * attempt)
            try:
                self._engine.remove(container)
                return True
            except (NotFound, Conflict):  # Conflict: its removal is under way
                return False
            except EngineError as error:
                logger.warning("container_not_removed", container=container, attempt=attempt, reason=str(error))
        return False


def _missing(runtime: str) -> str:
    return f"The runner image for {runtime} is missing or out of date. Build it: manage.py customcheck build-images"


def _orphaned(labels: Mapping[str, str], live: Collection[str], now: datetime) -> bool:
    if float(labels.get(hardening.DEADLINE, 0)) < now.timestamp():
        return True
    return labels.get(hardening.PURPOSE) != "test" and labels.get(hardening.CLAIM) not in live


class _Images:
    """Which image id a runtime has, remembered for some seconds."""

    def __init__(self, find: Callable[[str], str | None]) -> None:
        self._find = find
        self._found: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()  # one look serves all threads, and Python's sysconfig is not made for several

    def id(self, runtime: str) -> str:
        """Raises _ImageMissing, EngineError."""
        image = self.find(runtime)
        if not image:
            raise _ImageMissing
        return image

    def find(self, runtime: str) -> str:
        """Empty where there is none. Raises EngineError."""
        with self._lock:
            image, until = self._found.get(runtime, ("", 0.0))
            if time.monotonic() >= until:
                image = self._find(runtime) or ""
                self._found[runtime] = image, time.monotonic() + (IMAGE_SECONDS if image else 0)
        return image

    def forget(self) -> None:
        self._found.clear()
