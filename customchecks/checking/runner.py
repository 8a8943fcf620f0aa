"""One custom check, from claim to result: script, secrets, dependencies, sandbox, verdict.

``CustomCheckRunner.result`` is the whole line, ``run`` the part of it that needs no stored job.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from django.db import connection
from django.utils import timezone

from customchecks.archives.script_archive import Archive
from customchecks.checking import measures, results, sandbox_requests
from customchecks.checking.failures import CheckFailed
from customchecks.checking.script_source import Script, SourceFailed, Sources
from customchecks.dependencies import installation
from customchecks.dependencies.prepare import Dependencies, DependencyRequest, PreparedDependencies
from customchecks.docker.engine import EngineError
from customchecks.jobs.models import CustomCheckJob
from customchecks.sandbox.sandbox import Sandbox
from polling.base.crash_points import Point, reach
from polling.base.results import Cause, CheckResult
from polling.jobs.runners import Condition, secret_cause
from polling.jobs.scheduling import Claim
from secrets_app import references
from secrets_app.masking import masker as masking


class CustomCheckRunner:
    """A ``polling.jobs.runners.Runner`` on the Docker sandbox."""

    def __init__(self, sandbox: Sandbox | None = None, *, sources: Sources | None = None) -> None:
        self._sandbox = sandbox or Sandbox.from_settings()
        self._sources = sources or Sources.from_settings()
        self._dependencies = Dependencies(self._sandbox)
        self._resumed = False

    # The line of one check

    def check(self, job: CustomCheckJob, claim: Claim) -> CheckResult:
        result = self.result(job, claim)
        measures.count(job, result)
        return result

    def result(self, job: CustomCheckJob, claim: Claim, *, purpose: str = "check") -> CheckResult:
        """A "test" changes nothing of the job, but for the newest version of its script."""
        began = time.monotonic()
        script = None
        try:
            script = self._fetch_script(job, claim)
            fetched = _milliseconds(since=began)
            secrets = _resolve_secrets(job, claim)
            with masking.applied(secrets.masker):
                result = self.run(
                    job,
                    script.archive,
                    env=secrets.values,
                    masker=secrets.masker,
                    run_id=str(claim.claim_id),
                    claim=claim if purpose == "check" else None,
                    purpose=purpose,
                )
        except CheckFailed as failure:
            result = failure.result()
        if script:
            result = _of_script(result, script, fetched=fetched)
        return replace(result, execution_time_ms=_milliseconds(since=began))

    def run(
        self,
        job: CustomCheckJob,
        archive: Archive,
        *,
        env: Mapping[str, str],
        masker: masking.Masker,
        run_id: str,
        claim: Claim | None = None,
        purpose: str = "check",
    ) -> CheckResult:
        """Runs ``archive`` with a job's settings; ``env`` holds resolved secrets. Without a claim nothing is stored.

        Raises CheckFailed.
        """
        prepared = self._prepare_dependencies(job, archive, run_id=run_id, purpose=purpose)
        if claim:
            job.record_dependencies(prepared.key)
        if prepared.cause:
            raise CheckFailed(prepared.cause, prepared.failure, stderr=masker.text(prepared.log))
        if not connection.in_atomic_block:
            connection.close()  # a check may take an hour
        outcome = self._sandbox.run(
            sandbox_requests.of_job(job, archive, prepared, env=env, run_id=run_id, purpose=purpose)
        )
        if claim:
            measures.observe_start(claim, outcome)
        result = results.from_outcome(outcome, masker, install_log=prepared.log)
        return replace(result, revision=archive.sha256, timings=prepared.timings | outcome.timings)

    # Its steps

    def _fetch_script(self, job: CustomCheckJob, claim: Claim) -> Script:
        try:
            script = self._sources.script(job, check_id=claim.check_id)
        except SourceFailed as error:
            raise CheckFailed(Cause.SOURCE_FAILED, str(error)) from error
        except references.SecretMissing as error:
            raise CheckFailed(secret_cause(error), str(error)) from error
        reach(Point.SCRIPT_FETCHED)
        return script

    def _prepare_dependencies(
        self, job: CustomCheckJob, archive: Archive, *, run_id: str, purpose: str
    ) -> PreparedDependencies:
        prepared = self._dependencies.prepare(
            DependencyRequest(
                archive=archive,
                use=job.use(),
                owner=f"{job.kind}:{job.pk or run_id}",
                run_id=run_id,
                seconds=job.timeout_seconds,
                purpose="test" if purpose == "test" else "install",
            )
        )
        reach(Point.DEPENDENCIES_PREPARED)
        return prepared

    # What else the sweep asks of a runner

    def memory_mb(self, job: CustomCheckJob) -> int:
        """A first check may have dependencies to install, which takes more than the check itself."""
        return max(job.memory_mb, installation.MEMORY_MB) if job.last_check_at is None else job.memory_mb

    def kill(self, claim: Claim) -> None:
        self._sandbox.kill(str(claim.claim_id))

    def reap(self, live: Collection[str]) -> None:
        self._sandbox.reap(live, now=timezone.now())
        if not self._resumed:
            self._resume()

    def _resume(self) -> None:
        """Once: jobs whose dependencies failed under other settings than today's are due."""
        try:
            keys = self._dependencies.outdated()
        except EngineError:
            return
        self._resumed = True
        for job in CustomCheckJob.objects.filter(dependency_key__in=keys, consecutive_errors__gt=0):
            job.hasten()

    def condition(self) -> Condition:
        return self._sandbox.condition()

    def close(self) -> None:
        self._sandbox.close()


def _resolve_secrets(job: CustomCheckJob, claim: Claim) -> references.Resolved:
    try:
        return references.resolve(job.env_vars or {}, job_kind=job.kind, job_id=job.pk, check_id=claim.check_id)
    except references.SecretMissing as error:
        raise CheckFailed(secret_cause(error), str(error)) from error


def _of_script(result: CheckResult, script: Script, *, fetched: int) -> CheckResult:
    return replace(
        result,
        revision=script.revision,
        version=script.version,
        source=script.source,
        source_note=script.note,
        timings={"source": fetched, **result.timings},
    )


def _milliseconds(*, since: float) -> int:
    return round((time.monotonic() - since) * 1000)
