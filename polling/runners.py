"""What a kind of job gives the sweep to run its checks with."""

from collections.abc import Collection
from typing import Any, Protocol

from polling.results import Cause, CheckResult
from polling.scheduling import Claim
from secrets_app.references import KeysWrong, SecretMissing


class Runner(Protocol):
    """One per sweep, used by many threads. ``check`` answers and does not raise for what can be expected."""

    def check(self, job: Any, claim: Claim) -> CheckResult: ...

    def memory_mb(self, job: Any) -> int:
        """What a running check of this job may use on this host."""

    def kill(self, claim: Claim) -> None:
        """Ends a running check; its ``check`` then returns whatever it can."""

    def reap(self, live: Collection[str]) -> None:
        """Removes what checks have left behind, except that of the live claim ids."""

    def close(self) -> None: ...


def secret_cause(error: SecretMissing) -> Cause:
    return Cause.KEYS_WRONG if isinstance(error, KeysWrong) else Cause.SECRET_MISSING
