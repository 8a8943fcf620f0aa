"""What a check answers: a verdict, and the cause when there is none to be trusted."""

import enum
from dataclasses import dataclass, field
from typing import Any


class Verdict(enum.StrEnum):
    """SUCCESS and FAILED are about the watched task and end the job; ERROR means that we could not find out."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    PENDING = "PENDING"
    ERROR = "ERROR"

    @property
    def terminal(self) -> bool:
        return self in (Verdict.SUCCESS, Verdict.FAILED)


class Cause(enum.StrEnum):
    """Why a check is an ERROR. ``script`` is the script's own word; the others are what stood in its way.

    The last three are no check's: they say why the job was given up.
    """

    SCRIPT = "script"
    TIMEOUT = "timeout"
    OOM = "oom"
    EXIT_NONZERO = "exit_nonzero"
    NO_VERDICT = "no_verdict"
    BAD_VERDICT = "bad_verdict"
    OUTPUT_TRUNCATED = "output_truncated"
    DEPS_FAILED = "deps_failed"
    SOURCE_FAILED = "source_failed"
    IMAGE_MISSING = "image_missing"
    SECRET_MISSING = "secret_missing"  # noqa: S105
    KEYS_WRONG = "keys_wrong"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    NETWORK_UNPROTECTED = "network_unprotected"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DISK_FULL = "disk_full"
    RUNNER_LOST = "runner_lost"
    SERVICE_FAILED = "service_failed"
    DEADLINE = "deadline"
    MAX_CHECKS = "max_checks"
    MAX_CONSECUTIVE_ERRORS = "max_consecutive_errors"

    @property
    def ours(self) -> bool:
        """True where the job is surely not to blame: such an error does not count towards giving up."""
        return self in OURS

    @property
    def gave_up(self) -> bool:
        return self in (Cause.DEADLINE, Cause.MAX_CHECKS, Cause.MAX_CONSECUTIVE_ERRORS)


OURS = frozenset(
    {
        Cause.IMAGE_MISSING,
        Cause.ENGINE_UNAVAILABLE,
        Cause.NETWORK_UNPROTECTED,
        Cause.KEYS_WRONG,
        Cause.DATABASE_UNAVAILABLE,
        Cause.DISK_FULL,
    }
)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The answer of one check, masked: nothing in it is a secret.

    ``state`` is None where the script said nothing of it, and the stored one stays. ``timings`` are milliseconds.
    ``revision``, ``version`` and ``source`` tell what was run, ``source_note`` why it is not the newest.
    ``install_log`` is set where this check had something installed that was not there.
    """

    verdict: Verdict
    cause: Cause | None = None
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] | None = None
    progress: float | None = None
    next_check_in: int | None = None
    stdout: str = ""
    stderr: str = ""
    install_log: str = ""
    revision: str = ""
    version: int | None = None
    source: str = ""
    source_note: str = ""
    execution_time_ms: int = 0
    timings: dict[str, int] = field(default_factory=dict)

    def output(self) -> dict[str, Any]:
        """As log rows keep it."""
        kept = {"status": self.verdict.value, "message": self.message, "data": self.data}
        kept |= {"stdout": self.stdout, "stderr": self.stderr}
        return kept | ({"install_log": self.install_log} if self.install_log else {})


@dataclass(frozen=True, kw_only=True)
class LastAnswer:
    """What a job keeps of its last answer, and why it has failed."""

    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    cause: str = ""
    revision: str = ""
