"""What another cycle of jobs will start or call outside: what people are asked about before a restart."""

from collections.abc import Iterable

from polling.channels import notices
from polling.jobs.groups import GroupStatus, JobGroup
from polling.jobs.members import states
from polling.jobs.scheduling import ScheduledJob


def of_jobs(jobs: Iterable[ScheduledJob]) -> list[str]:
    """A line for each call of those that have ended, as only they can be restarted."""
    ended = [job for job in jobs if job.status in job.ended]
    return [f"{job.kind} {job.pk} ({job.name}): {call}" for job in ended for call in job.calls_at_its_end()]


def of_group(group: JobGroup) -> list[str]:
    """Of its jobs that have ended, which are restarted with it, and its own."""
    if group.status == GroupStatus.ACTIVE:  # it is refused
        return []
    members = states(group.members.all())[group.pk]
    own = [f"the group {group.name}: {notices.webhook(group.webhook_url)}"] if group.webhook_url else []
    return of_jobs(member.job for member in members if member.job) + own
