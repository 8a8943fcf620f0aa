"""What ends a check before its script could give an answer."""

from django.conf import settings

from polling.base import disk_space
from polling.base.results import Cause, CheckResult, Verdict

_OUR_DISK = "The disk of TeckoChecker is full."


class CheckFailed(Exception):
    """No verdict can be had; the message is safe to show, and ``stderr`` is masked."""

    def __init__(self, cause: Cause, message: str, *, stderr: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.stderr = stderr

    def result(self) -> CheckResult:
        cause, message = (Cause.DISK_FULL, f"{_OUR_DISK} {self}") if self._is_ours() else (self.cause, str(self))
        return CheckResult(verdict=Verdict.ERROR, cause=cause, message=message, stderr=self.stderr)

    def _is_ours(self) -> bool:
        """A repository cannot be fetched, and a package not installed, where our own disk has no room for them."""
        if self.cause not in (Cause.SOURCE_FAILED, Cause.DEPS_FAILED):
            return False
        if self.cause is Cause.DEPS_FAILED and disk_space.NO_SPACE not in self.stderr.lower():
            return False
        return disk_space.is_low(disk_space.own_places(), floor_mb=settings.TECKO_MIN_FREE_MB)
