"""One run of a script in the real sandbox that changes nothing: no log, no state, no webhook.

A job's secrets are resolved as in a check, so that their audit has a row for it too.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError

from customchecks.archives.script_archive import Archive
from customchecks.checking.failures import CheckFailed
from customchecks.checking.runner import CustomCheckRunner
from customchecks.checking.script_source import SourceFailed, Sources
from customchecks.cli.support.exit_codes import Failed, Invalid
from customchecks.cli.support.options import read_archive
from customchecks.jobs.models import CustomCheckJob, SourceType
from polling.base.results import CheckResult
from secrets_app import references
from secrets_app.masking import masker as masking
from teckochecker.kit import declared_values


@dataclass(frozen=True)
class Trial:
    """``env`` is resolved; ``masker`` knows the secrets in it."""

    job: CustomCheckJob
    archive: Archive
    check_id: uuid.UUID
    masker: masking.Masker
    env: Mapping[str, str] = field(repr=False)

    def run(self) -> CheckResult:
        runner = CustomCheckRunner()
        began = time.monotonic()
        try:
            with masking.applied(self.masker):
                result = self._result(runner)
        finally:
            runner.close()
        return replace(result, execution_time_ms=round((time.monotonic() - began) * 1000))

    def _result(self, runner: CustomCheckRunner) -> CheckResult:
        try:
            return runner.run(
                self.job, self.archive, env=self.env, masker=self.masker, run_id=str(self.check_id), purpose="test"
            )
        except CheckFailed as failure:
            return failure.result()


def of_job(job: CustomCheckJob) -> Trial:
    """Raises Failed where the job has no script, Invalid where a secret cannot be had."""
    check_id = uuid.uuid4()
    try:
        script = Sources.from_settings().script(job, check_id=check_id)
    except SourceFailed as error:
        raise Failed(str(error)) from None
    except references.SecretMissing as error:
        raise Invalid(f"script_git_token: {error}") from None
    try:
        secrets = references.resolve(job.env_vars or {}, job_kind=job.kind, job_id=job.pk, check_id=check_id)
    except references.SecretMissing as error:
        raise Invalid(f"env_vars: {error}") from None
    return Trial(job, script.archive, check_id, secrets.masker, secrets.values)


def of_directory(path: Path, data: Mapping[str, Any]) -> Trial:
    """Raises NotFound, Invalid."""
    archive = read_archive(path)
    job = _unsaved(path, data, archive)
    env = job.env_vars or {}
    if any(references.PREFIX in value for value in env.values()):
        raise Invalid("env_vars (--env): a directory has been granted no secrets: give the value itself.")
    return Trial(job, archive, uuid.uuid4(), masking.Masker(()), env)


def _unsaved(path: Path, data: Mapping[str, Any], archive: Archive) -> CustomCheckJob:
    job = CustomCheckJob(name=path.resolve().name)
    try:
        declared_values.fill(job, {**data, "script_source_type": SourceType.UPLOAD})
    except ValidationError as error:
        raise Invalid.of(error) from None
    if not archive.has(job.script_entrypoint):
        raise Invalid(f"script_entrypoint (--entrypoint): {path} has no file {job.script_entrypoint!r}.")
    return job
