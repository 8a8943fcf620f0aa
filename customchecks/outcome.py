"""How a run ended, judged from the launcher's answer and, where there is none, from what the engine says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from customchecks.stream import Answer
from polling.results import Cause


@dataclass(frozen=True, kw_only=True)
class SandboxOutcome:
    """``cause`` is None where the script ended by itself; ``message`` is a sentence where it is set.

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


class Limits(Protocol):
    @property
    def memory_mb(self) -> int: ...
    @property
    def timeout_seconds(self) -> int: ...


def from_answer(answer: Answer, limits: Limits, *, oom: bool) -> SandboxOutcome:
    """``oom`` is the engine's own word. A killed child counts, even where its parent went on to success."""
    cause, message = _cause(answer, limits, oom=oom)
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


def without_answer(state: Mapping[str, Any], limits: Limits, *, late: bool, killed: bool) -> SandboxOutcome:
    """``state`` is the engine's; ``late``: nothing came until our own deadline; ``killed``: on our own request."""
    if state.get("OOMKilled"):
        return SandboxOutcome(cause=Cause.OOM, message=_oom(limits))
    if killed:
        return SandboxOutcome(cause=Cause.RUNNER_LOST, message="The check was ended from outside.")
    if late:
        return SandboxOutcome(cause=Cause.TIMEOUT, message=_timeout(limits))
    code = state.get("ExitCode")
    return SandboxOutcome(
        cause=Cause.RUNNER_LOST,
        message=f"The sandbox ended without a valid answer (exit code {code}). The check will be tried again.",
    )


def _cause(answer: Answer, limits: Limits, *, oom: bool) -> tuple[Cause | None, str]:
    if oom or answer.oom_kills > 0:
        return Cause.OOM, _oom(limits)
    match answer.ended:
        case "exited":
            return None, ""
        case "timeout":
            return Cause.TIMEOUT, _timeout(limits)
        case "flooded":
            return Cause.OUTPUT_TRUNCATED, "The script printed more than 8 MB on one stream and was ended."
        case _:
            return Cause.SOURCE_FAILED, f"The script could not be started: {answer.reason}"


def _oom(limits: Limits) -> str:
    return f"The script needed more than its {limits.memory_mb} MB of memory."


def _timeout(limits: Limits) -> str:
    return f"The script was not done after {limits.timeout_seconds} seconds and was ended."


def _exit_code(status: int | None) -> int | None:
    return 128 - status if status is not None and status < 0 else status
