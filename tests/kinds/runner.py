"""Answers as the job's ``answers`` say, one a check; the last one again and again."""

import time
from collections.abc import Collection

from django.db import connection

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs.runners import Condition
from polling.jobs.scheduling import Claim
from tests.kinds.models import ScriptedJob


class ScriptedRunner:
    def __init__(self) -> None:
        self._killed: set[str] = set()

    def check(self, job: ScriptedJob, claim: Claim) -> CheckResult:
        end = time.monotonic() + job.seconds
        while time.monotonic() < end and str(claim.claim_id) not in self._killed:
            time.sleep(0.02)
        answer = job.answers[min(job.check_count, len(job.answers) - 1)] if job.answers else "PENDING"
        if answer == "CRASH":
            raise RuntimeError("a runner's own fault")
        if answer == "NO TABLE":
            connection.cursor().execute("SELECT * FROM no_such_table")
        verdict = Verdict(answer)
        return CheckResult(verdict=verdict, cause=Cause.SCRIPT if verdict is Verdict.ERROR else None)

    def memory_mb(self, job: ScriptedJob) -> int:
        return job.memory_mb

    def kill(self, claim: Claim) -> None:
        self._killed.add(str(claim.claim_id))

    def reap(self, live: Collection[str]) -> None:
        pass

    def condition(self) -> Condition:
        return Condition()

    def close(self) -> None:
        pass
