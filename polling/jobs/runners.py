"""What a kind of job gives the sweep to run its checks with."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from polling.base.results import Cause, CheckResult
from polling.jobs.scheduling import Claim
from secrets_app.references import KeysWrong, SecretMissing


@dataclass(frozen=True)
class Fault:
    """What keeps a host from checking jobs, or, where ``checks_run``, is not as it should be.

    ``message`` is for everybody: it names no path, address or host.
    """

    part: str
    message: str
    checks_run: bool = False


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Of what a kind's checks need. ``places``: the file systems that they fill."""

    faults: tuple[Fault, ...] = ()
    places: tuple[Path, ...] = ()


class Runner(Protocol):
    """One per sweep, used by many threads. ``check`` answers and does not raise for what can be expected."""

    def check(self, job: Any, claim: Claim) -> CheckResult: ...

    def memory_mb(self, job: Any) -> int:
        """What a running check of this job may use on this host."""

    def kill(self, claim: Claim) -> None:
        """Ends a running check; its ``check`` then returns whatever it can."""

    def reap(self, live: Collection[str]) -> None:
        """Removes what checks have left behind, except that of the live claim ids."""

    def condition(self) -> Condition:
        """Asked every few seconds, in the thread of ``reap``."""

    def close(self) -> None: ...


def secret_cause(error: SecretMissing) -> Cause:
    return Cause.KEYS_WRONG if isinstance(error, KeysWrong) else Cause.SECRET_MISSING
