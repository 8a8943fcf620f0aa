"""The variables that a script finds besides its own: its job's parameters, and its state."""

import json

from customchecks.jobs import fields
from customchecks.jobs.models import CustomCheckJob


def script_environment(job: CustomCheckJob) -> dict[str, str]:
    """``CHECK_PARAMS``, one variable for each scalar parameter, and the job's last ``TECKO_STATE``."""
    params = job.check_params or {}
    env = {key: _scalar(value) for key, value in fields.scalars(params).items() if fields.is_variable_name(key)}
    env["CHECK_PARAMS"] = json.dumps(params, ensure_ascii=False)
    if job.state is not None:
        env["TECKO_STATE"] = json.dumps(job.state, ensure_ascii=False)
    return env


def _scalar(value: str | float | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)
