"""What a sandbox is asked for a job's check."""

import json
from collections.abc import Mapping

from customchecks.archives.script_archive import Archive
from customchecks.dependencies.prepare import PreparedDependencies
from customchecks.images import runtimes
from customchecks.jobs import fields
from customchecks.jobs.models import CustomCheckJob
from customchecks.sandbox.request import SandboxRequest


def of_job(
    job: CustomCheckJob,
    archive: Archive,
    prepared: PreparedDependencies,
    *,
    env: Mapping[str, str],
    run_id: str,
    purpose: str,
) -> SandboxRequest:
    interpreter = (prepared.interpreter,) if prepared.interpreter else runtimes.named(job.script_runtime).interpreter
    return SandboxRequest(
        runtime=job.script_runtime,
        argv=(*interpreter, job.script_entrypoint),
        archive=archive.content,
        claim_id=run_id,
        env=_own_environment(job) | dict(env),
        timeout_seconds=job.timeout_seconds,
        memory_mb=job.memory_mb,
        cpu_cores=job.cpu_cores,
        volumes=prepared.volumes,
        purpose=purpose,
    )


def _own_environment(job: CustomCheckJob) -> dict[str, str]:
    """``CHECK_PARAMS``, one variable for each scalar parameter, and the job's last ``TECKO_STATE``."""
    params = job.check_params or {}
    env = {key: _scalar(value) for key, value in fields.scalars(params).items() if fields.is_variable_name(key)}
    env["CHECK_PARAMS"] = json.dumps(params, ensure_ascii=False)
    if job.state is not None:
        env["TECKO_STATE"] = json.dumps(job.state, ensure_ascii=False)
    return env


def _scalar(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)
