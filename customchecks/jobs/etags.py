"""A short name for a job's definition, so that two people who edit it do not overwrite each other.

It is not about the job's state, which every check changes.
"""

import hashlib
import json

from customchecks.jobs.models import CustomCheckJob, SourceType
from teckochecker.kit import declared

ANY = "*"


class ChangedMeanwhile(Exception):
    def __init__(self, message: str = "") -> None:
        super().__init__(message or "The job has changed since you read it. Read it again and repeat your change.")


def of(job: CustomCheckJob) -> str:
    """With its quotes, as the header ``ETag`` has it. A commit that a check has found changes no definition."""
    held = declared.values(job)
    held["script_version_pin"] = job.script_version_pin
    if job.script_source_type == SourceType.UPLOAD:
        held["script_sha256"] = job.script_archive_id
    written = json.dumps(held, sort_keys=True, default=str)
    return f'"{hashlib.sha256(written.encode()).hexdigest()[:32]}"'


def check(job: CustomCheckJob, match: str | None) -> None:
    """``match`` is a list of tags, or ``*`` for every job; None asks for nothing. Raises ChangedMeanwhile.

    A proxy that compresses makes weak tags of ours; they still name the same definition.
    """
    if match is None or match.strip() == ANY:
        return
    if of(job) not in {tag.strip().removeprefix("W/") for tag in match.split(",")}:
        raise ChangedMeanwhile
