"""Runs a trial: the job as it is now, in the sandbox of its checks."""

from collections.abc import Collection
from typing import Any

from customchecks.checking.runner import CustomCheckRunner
from polling.base.results import CheckResult
from polling.jobs.scheduling import Claim


class TrialRunner(CustomCheckRunner):
    def check(self, trial: Any, claim: Claim) -> CheckResult:
        return self.result(trial.job, claim, purpose="test")

    def memory_mb(self, trial: Any) -> int:
        return super().memory_mb(trial.job)

    def reap(self, live: Collection[str]) -> None:
        """The runner of checks removes what is left of tests too."""
