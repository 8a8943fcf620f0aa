"""When the next check comes if the script has a wish."""

from datetime import timedelta

import pytest

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import claims
from tests.kinds.models import ScriptedJob
from tests.polling.jobs.scripted import NOW, PENDING, answer, claim, due_job

pytestmark = pytest.mark.django_db(transaction=True)


def pending(seconds: int) -> CheckResult:
    return CheckResult(verdict=Verdict.PENDING, next_check_in=seconds)


def wait(job: ScriptedJob) -> float:
    job.refresh_from_db()
    return (job.next_check_at - NOW).total_seconds()


@pytest.mark.parametrize(
    ("asked", "granted"), [(600, 600), (10, 10), (0, 10), (-5, 10), (86400, 86400), (10**9, 86400)]
)
def test_a_script_chooses_its_next_check_within_the_limits_of_an_interval(asked: int, granted: int) -> None:
    job = due_job()
    answer(job, pending(asked))
    assert (wait(job), job.next_check_in) == (granted, granted)


def test_the_wish_counts_from_the_answer_and_for_one_check_only() -> None:
    job = due_job()
    held = claim(job)
    claims.record(held, pending(300), now=NOW + timedelta(seconds=40))
    assert wait(job) == 340
    answer(job, PENDING)
    assert (wait(job), job.next_check_in) == (120, None)


@pytest.mark.parametrize(("asked", "least", "most"), [(600, 600, 600), (10, 60, 66)])
def test_an_error_can_ask_for_later_and_not_for_sooner(asked: int, least: int, most: int) -> None:
    job = due_job()
    answer(job, CheckResult(verdict=Verdict.ERROR, cause=Cause.SCRIPT, next_check_in=asked))
    assert least <= wait(job) <= most


def test_a_wish_does_not_wake_a_job_that_was_paused_meanwhile() -> None:
    job = due_job()
    held = claim(job)
    job.pause()
    claims.record(held, pending(600), now=NOW)
    job.refresh_from_db()
    assert job.next_check_at is None


def test_a_trigger_during_a_check_wins_over_the_wish() -> None:
    job = due_job()
    held = claim(job)
    job.trigger()
    claims.record(held, pending(86400), now=NOW)
    before = job.next_check_at
    job.refresh_from_db()
    assert job.next_check_at == before


def test_a_long_wish_is_not_taken_for_a_clock_that_was_set_back() -> None:
    job = due_job()
    answer(job, pending(7200))
    claims.pull_back(ScriptedJob, now=NOW)
    assert wait(job) == 7200
    claims.pull_back(ScriptedJob, now=NOW - timedelta(hours=1))
    assert wait(job) == -3600
