"""One custom check, from claim to answer: script, secrets, dependencies, sandbox, masking, verdict."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from customchecks.archives.script_archive import Archive
from customchecks.checking import verdict
from customchecks.checking.script_source import Script, SourceFailed, Sources
from customchecks.dependencies import installation
from customchecks.dependencies.prepare import Dependencies, Prepared, Wanted
from customchecks.docker.engine import EngineError
from customchecks.images import runtimes
from customchecks.jobs import fields
from customchecks.jobs.models import CustomCheckJob
from customchecks.sandbox.sandbox import Sandbox, SandboxOutcome, SandboxRequest
from customchecks.sandbox.stream import KEEP
from polling.base import disk_space
from polling.base.crash_points import Point, reach
from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import metrics
from polling.jobs.runners import Condition, secret_cause
from polling.jobs.scheduling import Claim
from secrets_app import references
from secrets_app.masking import masker as masking
from teckochecker.kit import strict_json

logger = structlog.get_logger(__name__)


class CheckFailed(Exception):
    """No verdict can be had; the message is safe to show."""

    def __init__(self, cause: Cause, message: str, *, stderr: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.stderr = stderr


class CustomCheckRunner:
    """A ``polling.jobs.runners.Runner`` on the Docker sandbox."""

    def __init__(self, sandbox: Sandbox | None = None, *, sources: Sources | None = None) -> None:
        self._sandbox = sandbox or Sandbox.from_settings()
        self._sources = sources or Sources.from_settings()
        self._dependencies = Dependencies(self._sandbox)
        self._resumed = False

    def check(self, job: CustomCheckJob, claim: Claim) -> CheckResult:
        result = self.answer(job, claim)
        _count(job, result)
        return result

    def answer(self, job: CustomCheckJob, claim: Claim, *, purpose: str = "check") -> CheckResult:
        """A "test" changes nothing of the job, but for the newest version of its script."""
        began = time.monotonic()
        try:
            result = self._check(job, claim, purpose)
        except CheckFailed as failure:
            result = _error(failure)
        return replace(result, execution_time_ms=round((time.monotonic() - began) * 1000))

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

    def _check(self, job: CustomCheckJob, claim: Claim, purpose: str) -> CheckResult:
        began = time.monotonic()
        script = self._script(job, claim)
        reach(Point.SCRIPT_FETCHED)
        fetching = round((time.monotonic() - began) * 1000)
        try:
            result = self._run(job, script.archive, claim, purpose)
        except CheckFailed as failure:
            result = _error(failure)
        return replace(
            result,
            revision=script.revision,
            version=script.version,
            source=script.source,
            source_note=script.note,
            timings={"source": fetching, **result.timings},
        )

    def _script(self, job: CustomCheckJob, claim: Claim) -> Script:
        try:
            return self._sources.script(job, check_id=claim.check_id)
        except SourceFailed as error:
            raise CheckFailed(Cause.SOURCE_FAILED, str(error)) from error
        except references.SecretMissing as error:
            raise CheckFailed(secret_cause(error), str(error)) from error

    def _run(self, job: CustomCheckJob, archive: Archive, claim: Claim, purpose: str) -> CheckResult:
        try:
            secrets = references.resolve(job.env_vars or {}, job_kind=job.kind, job_id=job.pk, check_id=claim.check_id)
        except references.SecretMissing as error:
            raise CheckFailed(secret_cause(error), str(error)) from error
        token = masking.active.set(secrets.masker)
        try:
            return self.run(
                job,
                archive,
                env=secrets.values,
                masker=secrets.masker,
                run_id=str(claim.claim_id),
                claim=claim if purpose == "check" else None,
                purpose=purpose,
            )
        finally:
            masking.active.reset(token)

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
        """Runs ``archive`` with a job's settings; ``env`` holds resolved secrets. Changes nothing stored."""
        prepared = self._prepared(job, archive, run_id=run_id, purpose=purpose)
        reach(Point.DEPENDENCIES_PREPARED)
        if claim:
            job.record_dependencies(prepared.key)
        if prepared.cause:
            raise CheckFailed(prepared.cause, prepared.failure, stderr=masker.text(prepared.log))
        if not connection.in_atomic_block:
            connection.close()  # a check may take an hour
        outcome = self._sandbox.run(
            SandboxRequest(
                runtime=job.script_runtime,
                argv=(prepared.interpreter or runtimes.named(job.script_runtime).interpreter, job.script_entrypoint),
                archive=archive.content,
                claim_id=run_id,
                env=script_environment(job) | dict(env),
                timeout_seconds=job.timeout_seconds,
                memory_mb=job.memory_mb,
                cpu_cores=job.cpu_cores,
                volumes=prepared.volumes,
                purpose=purpose,
            )
        )
        if claim and outcome.script_started_at:
            _observe_start(claim, outcome.script_started_at)
        answer = _answer(outcome, masker, revision=archive.sha256, timings=prepared.timings | outcome.timings)
        return replace(answer, install_log=masker.text(prepared.log))

    def _prepared(self, job: CustomCheckJob, archive: Archive, *, run_id: str, purpose: str) -> Prepared:
        return self._dependencies.prepare(
            Wanted(
                archive=archive,
                use=job.use(),
                owner=f"{job.kind}:{job.pk or run_id}",
                run_id=run_id,
                seconds=job.timeout_seconds,
                purpose="test" if purpose == "test" else "install",
            )
        )


def script_environment(job: CustomCheckJob) -> dict[str, str]:
    """What a script is told: ``CHECK_PARAMS``, one variable for each scalar parameter, and its last ``TECKO_STATE``."""
    params = job.check_params or {}
    env = {key: _scalar(value) for key, value in fields.scalars(params).items() if fields.is_variable_name(key)}
    env["CHECK_PARAMS"] = json.dumps(params, ensure_ascii=False)
    if job.state is not None:
        env["TECKO_STATE"] = json.dumps(job.state, ensure_ascii=False)
    return env


def _scalar(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _error(failure: CheckFailed) -> CheckResult:
    if not _is_ours(failure):
        return CheckResult(verdict=Verdict.ERROR, cause=failure.cause, message=str(failure), stderr=failure.stderr)
    message = f"The disk of TeckoChecker is full. {failure}"
    return CheckResult(verdict=Verdict.ERROR, cause=Cause.DISK_FULL, message=message, stderr=failure.stderr)


def _is_ours(failure: CheckFailed) -> bool:
    """A repository cannot be fetched, and a package not installed, where our own disk has no room for them."""
    if failure.cause not in (Cause.SOURCE_FAILED, Cause.DEPS_FAILED):
        return False
    if failure.cause is Cause.DEPS_FAILED and disk_space.NO_SPACE not in failure.stderr.lower():
        return False
    return disk_space.is_low(disk_space.own_places(), floor_mb=settings.TECKO_MIN_FREE_MB)


def _answer(
    outcome: SandboxOutcome, masker: masking.Masker, *, revision: str, timings: Mapping[str, int]
) -> CheckResult:
    """Parsed first and masked then, but for the message: a secret that looks like a status word changes no verdict."""
    stderr = _printed(outcome.stderr, cut=outcome.stderr_cut, masker=masker)
    parsed = _parsed(outcome, masker, stderr=stderr)
    return replace(
        parsed,
        message=masker.text(parsed.message),
        data=masker.data(parsed.data),
        state=_without_secrets(parsed.state, masker),
        progress=_without_secrets(parsed.progress, masker),
        stdout=_printed(outcome.stdout, cut=outcome.stdout_cut, masker=masker),
        stderr=stderr,
        revision=revision,
        timings=dict(timings),
    )


def _without_secrets(value: Any, masker: masking.Masker) -> Any:
    """None where a secret is in it: a masked number is none, and a masked state would mislead the next check."""
    return value if masker.data(value) == value else None


def _parsed(outcome: SandboxOutcome, masker: masking.Masker, *, stderr: str) -> CheckResult:
    """From everything that was printed, or from what follows the cut: a line that goes through it is no line."""
    cut = outcome.stdout_cut > 0
    printed = _text(outcome.stdout[outcome.stdout_head_len :] if cut else outcome.stdout)
    if outcome.cause is None:
        return verdict.parse(printed, exit_code=outcome.exit_code, cut=cut, stderr=stderr, mask=masker.text)
    message = outcome.message
    if outcome.cause is Cause.TIMEOUT:
        message = f"{message} {verdict.unended(printed, cut=cut)}".rstrip()
    return CheckResult(verdict=Verdict.ERROR, cause=outcome.cause, message=message)


def _printed(content: bytes, *, cut: int, masker: masking.Masker) -> str:
    """What the log keeps of a stream, masked. ``cut`` bytes of it are missing already."""
    left_out = len(content) + cut - 2 * KEEP
    if left_out <= 0:
        return masker.text(_text(content))
    head, tail = masker.cut_text(_text(content[:KEEP]), _text(content[-KEEP:]))
    return f"{head}\n[{left_out} bytes left out]\n{tail}"


def _text(content: bytes) -> str:
    return strict_json.storable(content.decode(errors="replace"))


def _observe_start(claim: Claim, started: datetime) -> None:
    metrics.start_delay.observe(max((started - claim.due_at).total_seconds(), 0))


def _count(job: CustomCheckJob, result: CheckResult) -> None:
    labels: dict[str, Any] = {"runtime": job.script_runtime}
    metrics.executions.labels(status=result.verdict.value, **labels).inc()
    metrics.duration.labels(**labels).observe(result.execution_time_ms / 1000)
    if result.cause is not None:
        metrics.errors.labels(error_type=result.cause.value).inc()
