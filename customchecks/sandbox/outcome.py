"""How a run of a sandbox ended: by its launcher's answer, or else by the engine's word."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from customchecks.docker.errors import EngineError
from customchecks.sandbox.request import SandboxRequest
from customchecks.sandbox.stream import LauncherAnswer
from polling.base import disk_space
from polling.base.results import Cause

# What V8, a worker of Node, Python, numpy and C++ say as their last
_OUT_OF_MEMORY = re.compile(
    rb"""^FATAL\ ERROR:.*JavaScript\ heap\ out\ of\ memory
    | \[ERR_WORKER_OUT_OF_MEMORY\]:
    | ^RangeError:\ Array\ buffer\ allocation\ failed
    | ^(?:[\w.]*\._ArrayMemoryError|MemoryError)\b[^\n]*\s*\Z
    | ^terminate\ called\ after\ throwing\ an\ instance\ of\ 'std::bad_alloc'""",
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class SandboxOutcome:
    """What a run came to. ``cause`` is None where the script ended by itself; ``message`` is a sentence where not.

    ``stdout`` and ``stderr`` are the first and the last 64 kB; ``…_cut`` bytes are missing at ``…_head_len``.
    ``exit_code`` is 128 + the signal where one ended the script. ``timings`` are milliseconds.
    """

    cause: Cause | None = None
    message: str = ""
    exit_code: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_cut: int = 0
    stderr_cut: int = 0
    stdout_head_len: int = 0
    stderr_head_len: int = 0
    timings: dict[str, int] = field(default_factory=dict)
    script_started_at: datetime | None = None


def unprotected(reason: str) -> SandboxOutcome:
    message = (
        f"Nothing keeps scripts from the networks of this machine: {reason} The check will be tried again. "
        "manage.py customcheck doctor names the remedy."
    )
    return SandboxOutcome(cause=Cause.NETWORK_UNPROTECTED, message=message)


def image_missing(runtime: str) -> SandboxOutcome:
    build = f"manage.py customcheck build-images --runtime {runtime}"
    message = f"The runner image for {runtime} is missing or out of date. Build it: {build}"
    return SandboxOutcome(cause=Cause.IMAGE_MISSING, message=message)


def engine_failed(error: EngineError) -> SandboxOutcome:
    cause = Cause.DISK_FULL if disk_space.is_full(error) else Cause.ENGINE_UNAVAILABLE
    return SandboxOutcome(cause=cause, message=str(error))


def killed() -> SandboxOutcome:
    return SandboxOutcome(cause=Cause.RUNNER_LOST, message="The check was ended from outside.")


def from_answer(answer: LauncherAnswer, request: SandboxRequest, *, oom: bool) -> SandboxOutcome:
    """``oom`` is the engine's own word. A killed child counts, even where its parent went on to success."""
    cause, message = _cause(answer, request, oom=oom)
    started = answer.started_at
    return SandboxOutcome(
        cause=cause,
        message=message,
        exit_code=_exit_code(answer.exit_code),
        stdout=answer.stdout.content,
        stderr=answer.stderr.content,
        stdout_cut=answer.stdout.cut,
        stderr_cut=answer.stderr.cut,
        stdout_head_len=len(answer.stdout.head),
        stderr_head_len=len(answer.stderr.head),
        script_started_at=None if started is None else datetime.fromtimestamp(started, UTC),
    )


def without_answer(
    state: Mapping[str, Any], request: SandboxRequest, *, late: bool, by_us: bool, by_others: bool
) -> SandboxOutcome:
    """``state`` is the engine's; ``late``: nothing came until our own deadline; ``by_us``: it was ended on our own
    request; ``by_others``: on somebody else's, or by the engine.

    Whatever else ends a launcher is laid at its script's door: one that finds a way would run for ever.
    """
    if state.get("OOMKilled"):
        return SandboxOutcome(cause=Cause.OOM, message=_oom(request))
    if by_us:
        return killed()
    if late:
        return SandboxOutcome(cause=Cause.TIMEOUT, message=_timeout(request))
    code = state.get("ExitCode")
    if by_others:
        how = "removed" if code is None else "ended"
        shown = "" if code is None else f" (exit code {code})"
        message = f"The container was {how} from outside{shown}, as at a restart of the engine."
        return SandboxOutcome(cause=Cause.ENGINE_UNAVAILABLE, message=message)
    return SandboxOutcome(
        cause=Cause.RUNNER_LOST,
        message=f"The sandbox ended without a valid answer (exit code {code}), and nobody had asked the engine for"
        " that: the script ended it, or what it used up. The check will be tried again.",
    )


def _cause(answer: LauncherAnswer, request: SandboxRequest, *, oom: bool) -> tuple[Cause | None, str]:
    if oom or answer.oom_kills > 0:
        return Cause.OOM, _oom(request)
    match answer.ended:
        case "exited":
            return (Cause.OOM, _oom(request)) if _gave_up_for_memory(answer) else (None, "")
        case "timeout":
            return Cause.TIMEOUT, _timeout(request)
        case "flooded":
            return Cause.OUTPUT_TRUNCATED, "The script printed more than 8 MB on one stream and was ended."
        case _:
            return Cause.SOURCE_FAILED, f"The script could not be started: {answer.reason}"


def _gave_up_for_memory(answer: LauncherAnswer) -> bool:
    """An interpreter may see the end of the memory before the kernel does, and end by itself."""
    return answer.exit_code != 0 and _OUT_OF_MEMORY.search(answer.stderr.tail or answer.stderr.head) is not None


def _oom(request: SandboxRequest) -> str:
    return f"The script needed more than its {request.memory_mb} MB of memory."


def _timeout(request: SandboxRequest) -> str:
    return f"The script was not done after {request.timeout_seconds} seconds and was ended."


def _exit_code(status: int | None) -> int | None:
    return 128 - status if status is not None and status < 0 else status
