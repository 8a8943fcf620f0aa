"""A sweep enforces deadlines, whatever happens to the clock and however long nothing ran."""

from datetime import timedelta

import pytest

from polling.deadlines import LAST_LOOK_SECONDS, Deadlines
from tests.kinds.models import ScriptedJob
from tests.polling.jobs import NOW, PENDING, answer, due_job

pytestmark = pytest.mark.django_db(transaction=True)


class Watch:
    """A wall clock that can be set, and the time that really passes."""

    def __init__(self) -> None:
        self.now, self.passed = NOW, 0.0

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)
        self.passed += timedelta(**time).total_seconds()


def cause(job: ScriptedJob) -> str:
    job.refresh_from_db()
    return str(job.failure_cause)


def checked_job() -> ScriptedJob:
    """It has an hour from now, and its next check is far away."""
    job = due_job(deadline_seconds=3600, poll_interval_seconds=86400)
    answer(job, PENDING)
    ScriptedJob.objects.update(next_check_at=NOW + timedelta(days=999))
    return job


@pytest.mark.parametrize("set_by", [timedelta(0), timedelta(days=365), timedelta(days=-365)])
def test_a_job_has_its_whole_time_also_when_the_clock_is_set(set_by: timedelta) -> None:
    job, watch = checked_job(), Watch()
    deadlines = Deadlines([ScriptedJob], steady=lambda: watch.passed)
    deadlines.enforce(watch.now)
    watch.now += set_by
    watch.wait(minutes=59)
    deadlines.enforce(watch.now)
    assert cause(job) == ""
    watch.wait(minutes=2)
    deadlines.enforce(watch.now)
    assert cause(job) == "deadline"


def test_only_a_sweep_that_has_just_begun_leaves_a_due_job_its_last_check() -> None:
    job, watch = checked_job(), Watch()
    ScriptedJob.objects.update(next_check_at=NOW)
    watch.wait(days=8)
    deadlines = Deadlines([ScriptedJob], steady=lambda: watch.passed)
    deadlines.enforce(watch.now)
    assert cause(job) == ""
    watch.wait(seconds=LAST_LOOK_SECONDS + 1)
    deadlines.enforce(watch.now)
    assert cause(job) == "deadline"
