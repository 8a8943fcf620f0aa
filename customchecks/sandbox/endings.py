"""Finds out how a run ended: from its launcher's answer, and from the engine where that does not tell.

The launcher's count of OOM kills is the kernel's; only where it could not see one the engine is asked.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from customchecks.docker.engine import Engine, EngineUnavailable, NotFound
from customchecks.sandbox import outcome
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.runs import Run
from customchecks.sandbox.stream import LauncherAnswer, Reply

logger = structlog.get_logger(__name__)

STATE_SECONDS = 3.0
EVENT_SECONDS = 2.0  # by which the engine tells of an end later than it has happened


def judge(engine: Engine, run: Run, reply: Reply, answer: LauncherAnswer | None) -> SandboxOutcome:
    """``answer`` is what was authentic in ``reply``. Raises EngineError."""
    if answer and answer.oom_kills >= 0:
        return outcome.from_answer(answer, run.request, oom=False)
    state = _last_state(engine, run.container, ended=not reply.late)
    if answer:
        return outcome.from_answer(answer, run.request, oom=bool(state.get("OOMKilled")))
    if run.unprotected:
        return outcome.unprotected(run.unprotected)
    if not run.killed:
        said = bytes(reply.diagnostics).decode(errors="replace")
        logger.warning("sandbox_lost", claim=run.request.claim_id, launcher=said)
    by_others = not run.killed and not reply.late and _was_ended(engine, run.container, state)
    return outcome.without_answer(state, run.request, late=reply.late, by_us=run.killed, by_others=by_others)


def _was_ended(engine: Engine, container: str, state: Mapping[str, Any]) -> bool:
    """Whether somebody asked the engine for the container's end, or the engine has begun anew, or lost our streams.

    Nothing that runs in a container can cause any of them.
    """
    if not state or state["Running"]:
        return True
    until = datetime.fromisoformat(state["FinishedAt"]).timestamp() + EVENT_SECONDS
    known = engine.events(container, until=until)
    return not known or "kill" in known


def _last_state(engine: Engine, container: str, *, ended: bool) -> Mapping[str, Any]:
    """Empty where somebody has removed the container. An end shows a moment after the stream has closed."""
    try:
        if ended:
            with suppress(EngineUnavailable):
                engine.wait(container, timeout=STATE_SECONDS)
        return dict(engine.inspect(container)["State"])
    except NotFound:
        return {}
