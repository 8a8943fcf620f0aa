"""What the tests of the sandbox are made of: requests, sandboxes of an instance of their own, the engine's view."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from customchecks.checking import verdict
from customchecks.docker import hardening
from customchecks.docker.engine import Engine
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.request import SandboxRequest
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from tests import instances
from tests.factories import tgz

HERE = Path(__file__).parent
INTERPRETERS = {"python": ("python3", "main.py"), "node": ("node", "main.js")}


def request(code: str, *, runtime: str = "python", **values: Any) -> SandboxRequest:
    argv = INTERPRETERS[runtime]
    fields = {"claim_id": secrets.token_hex(8), "env": {}, "timeout_seconds": 60} | values
    return SandboxRequest(runtime=runtime, argv=argv, archive=tgz({argv[1]: code}), **fields)


def instance_sandbox(**values: Any) -> tuple[str, Sandbox]:
    instance = instances.new()
    return instance, Sandbox(instance=instance, egress_allow=settings.TECKO_EGRESS_ALLOW, **values)


def cause_of(outcome: SandboxOutcome) -> Cause | None:
    """As a check would have it: the sandbox's cause, or else the verdict's."""
    return outcome.cause or verdict.parse(outcome.stdout.decode(errors="replace"), exit_code=outcome.exit_code).cause


def containers(engine: Engine, instance: str, **labels: str) -> list[dict[str, Any]]:
    return engine.containers(hardening.labels(instance=instance, **labels))


def wait_for(what: Callable[[], Any], *, seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.05)
    return found


@contextmanager
def running(
    sandbox: Sandbox, wanted: SandboxRequest, *, engine: Engine, instance: str
) -> Iterator[tuple[dict[str, Any], list[SandboxOutcome]]]:
    """A container that runs, as the engine inspects it, and the list that its outcome will be in; ended on leaving."""
    outcomes: list[SandboxOutcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(sandbox.run(wanted)))
    thread.start()

    def started() -> dict[str, Any] | None:
        for item in containers(engine, instance, claim=wanted.claim_id):
            if item["State"] == "running":
                return engine.inspect(item["Id"])
        return None

    try:
        yield wait_for(started), outcomes
    finally:
        sandbox.kill(wanted.claim_id)
        thread.join(30)
