"""Gives each run its container, one that was started ahead or a new one, and takes it away behind the run."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from socket import socket

from customchecks.docker.engine import Engine, NotFound
from customchecks.docker.hardening import Spec
from customchecks.sandbox.containers import BEYOND_SECONDS, Containers
from customchecks.sandbox.removals import Removals
from customchecks.sandbox.runs import Run
from customchecks.sandbox.spares import Spares
from polling.base.crash_points import Point, reach


class ImageMissing(Exception):
    """The runner image has to be built."""


class Starts:
    """Thread-safe. ``places`` bounds how many containers are created and started at the same time."""

    def __init__(
        self,
        engine: Engine,
        containers: Containers,
        removals: Removals,
        spares: Spares,
        *,
        places: threading.BoundedSemaphore,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._removals = removals
        self._spares = spares
        self.places = places

    @contextmanager
    def container(self, run: Run, spec: Spec) -> Iterator[socket]:
        """The streams of a container that runs; whoever leaves lets go of it.

        Raises EngineError, ImageMissing, and RunKilled where nobody wants it any more.
        """
        with ExitStack() as stack:
            yield self._take_spare(run, spec, stack) or self._start(run, spec, stack)

    def _take_spare(self, run: Run, spec: Spec, stack: ExitStack) -> socket | None:
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
        with self.places:
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
            raise ImageMissing from error

    def _leave(self, run: Run) -> None:
        """Who could write to a volume is waited for: whoever asked wants the volume next."""
        removed = partial(reach, Point.CONTAINER_REMOVED)
        if run.answered and not run.request.writes:
            self._removals.later(run.container, then=removed)
        else:
            self._removals.now(run.container)
            removed()
