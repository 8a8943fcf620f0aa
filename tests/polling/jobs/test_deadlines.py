"""A sweep enforces deadlines, whatever happens to the clock and however long nothing ran."""

from datetime import timedelta

import pytest

from polling.base.clock import Clock
from polling.jobs.deadlines import LAST_LOOK_SECONDS, PAUSE_SECONDS, Deadlines
from tests.kinds.models import ScriptedJob
from tests.polling.jobs.scripted import NOW, PENDING, answer, due_job

pytestmark = pytest.mark.django_db(transaction=True)
A_YEAR = timedelta(days=365)


class Watch:
    """A wall clock that can be set, and the time that really passes."""

    def __init__(self) -> None:
        self.now, self.passed = NOW, 0.0

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)
        self.passed += timedelta(**time).total_seconds()

    def clock(self) -> Clock:
        clock = Clock(wall=lambda: self.now, steady=lambda: self.passed)
        clock.take_over()
        return clock

    def deadlines(self) -> Deadlines:
        return Deadlines([ScriptedJob], clock=self.clock(), steady=lambda: self.passed)


def cause(job: ScriptedJob) -> str:
    job.refresh_from_db()
    return str(job.failure_cause)


def checked_job() -> ScriptedJob:
    """It has an hour from now, and its next check is far away."""
    job = due_job(deadline_seconds=3600, poll_interval_seconds=86400)
    answer(job, PENDING)
    ScriptedJob.objects.update(next_check_at=NOW + timedelta(days=999))
    return job


def look(*hosts: Deadlines) -> None:
    for host in hosts:
        host.follow()
        host.enforce()


@pytest.mark.parametrize("set_by", [timedelta(0), A_YEAR, -A_YEAR])
def test_a_job_has_its_whole_time_also_when_the_clock_is_set(set_by: timedelta) -> None:
    job, watch = checked_job(), Watch()
    deadlines = watch.deadlines()
    look(deadlines)
    watch.now += set_by
    watch.wait(minutes=59)
    look(deadlines)
    assert cause(job) == ""
    watch.wait(minutes=2)
    look(deadlines)
    assert cause(job) == "deadline"


@pytest.mark.parametrize("set_by", [A_YEAR, -A_YEAR])
def test_of_several_hosts_that_see_the_clock_set_one_moves_the_deadlines(set_by: timedelta) -> None:
    job, watch = checked_job(), Watch()
    hosts = [watch.deadlines() for _ in range(3)]
    look(*hosts)
    watch.now += set_by
    watch.wait(minutes=1)
    for host in hosts:
        watch.wait(seconds=1)
        look(host)
    job.refresh_from_db()
    assert job.deadline_at == NOW + timedelta(hours=1) + set_by


def test_a_machine_that_stood_still_moves_no_deadlines_while_others_went_on() -> None:
    """Its own seconds say that the common clock was set."""
    job, watch = checked_job(), Watch()
    lively = watch.deadlines()
    stopped = Deadlines([ScriptedJob], clock=Clock(wall=lambda: watch.now, steady=lambda: 0.0), steady=lambda: 0.0)
    look(stopped, lively)
    for _ in range(20):
        watch.wait(seconds=10)
        look(lively)
    look(stopped)
    job.refresh_from_db()
    assert job.deadline_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("set_by", [A_YEAR, -A_YEAR])
def test_the_time_that_a_sweep_judges_by_moves_with_the_deadlines_and_not_before(set_by: timedelta) -> None:
    watch = Watch()
    clock = watch.clock()
    deadlines = Deadlines([ScriptedJob], clock=clock, steady=lambda: watch.passed)
    deadlines.follow()
    watch.now += set_by
    watch.wait(seconds=2)
    assert clock.now() == NOW + timedelta(seconds=2)
    deadlines.follow()
    assert clock.now() == watch.now


def test_only_a_sweep_that_has_just_begun_leaves_a_due_job_its_last_check() -> None:
    job, watch = checked_job(), Watch()
    ScriptedJob.objects.update(next_check_at=NOW)
    watch.wait(days=8)
    deadlines = watch.deadlines()
    look(deadlines)
    assert cause(job) == ""
    for _ in range(int(LAST_LOOK_SECONDS / 10) + 1):
        watch.wait(seconds=10)
        look(deadlines)
    assert cause(job) == "deadline"


def test_a_sweep_that_could_do_nothing_for_a_while_leaves_a_due_job_its_last_check_too() -> None:
    job, watch = checked_job(), Watch()
    deadlines = watch.deadlines()
    for _ in range(int(LAST_LOOK_SECONDS / 10) + 1):
        watch.wait(seconds=10)
        look(deadlines)
    ScriptedJob.objects.update(next_check_at=NOW, deadline_at=NOW)
    watch.wait(seconds=PAUSE_SECONDS + 1)
    look(deadlines)
    assert cause(job) == ""
