"""Giving up: deadline, number of checks, errors in a row; on the scripted kind."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import claims, ranges
from polling.jobs.scheduling import JobStatus
from polling.outbox.deliveries import Delivery
from tests.kinds.models import ScriptedJob, ScriptedLog
from tests.polling.jobs.scripted import ERROR, NOW, PENDING, SUCCESS, answer, claim, claimed, due_job

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(seconds=61)


def hourglass(**fields: object) -> ScriptedJob:
    """A job that has a minute from its first check."""
    return due_job(deadline_seconds=60, poll_interval_seconds=86400, **fields)


def given_up(job: ScriptedJob) -> tuple[str, str]:
    job.refresh_from_db()
    return job.status, job.failure_cause


def payloads() -> list[dict[str, Any]]:
    return [json.loads(delivery.body) for delivery in Delivery.objects.order_by("created_at")]


@pytest.mark.parametrize("result", [PENDING, ERROR])
def test_the_last_check_that_a_job_has_ends_it(result: CheckResult) -> None:
    job = due_job(max_checks=3)
    answer(job, result, result)
    assert given_up(job) == ("active", "")
    answer(job, result)
    assert given_up(job) == ("failed", "max_checks")
    assert (job.completed_at, job.next_check_at, job.claim_id) == (NOW, None, None)


def test_the_last_error_in_a_row_ends_the_job() -> None:
    job = due_job(max_consecutive_errors=3)
    answer(job, ERROR, ERROR, PENDING, ERROR, ERROR)
    assert given_up(job) == ("active", "")
    answer(job, ERROR)
    assert given_up(job) == ("failed", "max_consecutive_errors")


def test_a_verdict_of_the_last_check_counts() -> None:
    job = due_job(max_checks=2)
    answer(job, PENDING, SUCCESS)
    assert given_up(job) == ("completed", "")


@pytest.mark.parametrize("cause", [Cause.ENGINE_UNAVAILABLE, Cause.IMAGE_MISSING])
def test_checks_that_we_could_not_make_count_towards_nothing(cause: Cause) -> None:
    job = due_job(max_checks=2, max_consecutive_errors=2)
    answer(job, *[CheckResult(verdict=Verdict.ERROR, cause=cause)] * 5)
    assert (given_up(job), job.check_count, job.consecutive_errors) == (("active", ""), 0, 0)


def test_a_lost_check_counts() -> None:
    job = due_job(max_checks=1)
    claim(job)
    claims.recover(ScriptedJob, now=NOW + timedelta(minutes=5))
    assert given_up(job) == ("failed", "max_checks")


def test_giving_up_owes_one_delivery_with_the_cause_and_writes_one_log_row() -> None:
    job = due_job(max_consecutive_errors=1)
    answer(job, CheckResult(verdict=Verdict.ERROR, cause=Cause.SCRIPT, message="no such task"))
    (payload,) = payloads()
    assert (payload["check_status"], payload["cause"]) == ("ERROR", "max_consecutive_errors")
    assert payload["check_message"] == "Gave up: 1 errors in a row. The last check said: no such task"
    assert [log.cause for log in job.logs.order_by("pk")] == ["script", "max_consecutive_errors"]


# The deadline


def test_a_deadline_ends_a_job_between_its_checks() -> None:
    job = hourglass()
    answer(job, PENDING)
    assert claims.give_up_overdue(ScriptedJob, now=NOW + timedelta(seconds=59)) == 0
    ScriptedJob.objects.update(next_check_at=NOW + timedelta(days=1))
    assert claims.give_up_overdue(ScriptedJob, now=LATER) == 1
    assert given_up(job) == ("failed", "deadline")
    assert [payload["cause"] for payload in payloads()] == ["deadline"]


def test_a_deadline_takes_the_claim_of_a_running_check_which_then_delivers_nothing() -> None:
    job = hourglass()
    held = claim(job)
    claims.give_up_overdue(ScriptedJob, now=LATER)
    assert claims.renew([held], now=LATER) == [held]  # so the sweep kills it
    assert not claims.record(held, SUCCESS, now=LATER)
    assert given_up(job) == ("failed", "deadline")
    assert [log.check_id for log in job.logs.all()] == [held.check_id]
    assert Delivery.objects.count() == 1


def test_a_job_is_given_up_once() -> None:
    job = hourglass()
    claim(job)
    assert [claims.give_up_overdue(ScriptedJob, now=LATER) for _ in range(3)] == [1, 0, 0]
    assert (ScriptedLog.objects.count(), Delivery.objects.count()) == (1, 1)


def test_a_verdict_that_comes_before_the_sweep_looks_is_kept() -> None:
    job = hourglass()
    held = claim(job)
    assert claims.record(held, SUCCESS, now=LATER)
    assert claims.give_up_overdue(ScriptedJob, now=LATER) == 0
    assert given_up(job) == ("completed", "")


def test_after_a_time_in_which_nothing_ran_a_late_job_is_asked_once_more() -> None:
    late, done = hourglass(), hourglass()
    for held in claimed().values():
        claims.record(held, PENDING, now=NOW)
    ScriptedJob.objects.update(next_check_at=LATER)
    week = NOW + timedelta(days=7)
    assert claims.give_up_overdue(ScriptedJob, now=week, last_look=True) == 0
    again = claimed(week)
    claims.record(again[late.pk], PENDING, now=week)
    claims.record(again[done.pk], SUCCESS, now=week)
    assert (given_up(late), given_up(done)) == (("failed", "deadline"), ("completed", ""))


def test_that_last_check_may_end() -> None:
    job = hourglass()
    answer(job, PENDING)
    ScriptedJob.objects.update(next_check_at=LATER)
    week = NOW + timedelta(days=7)
    held = claim(job, week)
    while_it_runs = week + timedelta(seconds=5)
    assert claims.give_up_overdue(ScriptedJob, now=while_it_runs, last_look=True) == 0
    assert claims.record(held, SUCCESS, now=while_it_runs)
    assert given_up(job) == ("completed", "")


def test_a_check_that_began_before_the_deadline_is_no_last_one() -> None:
    job = hourglass()
    claim(job)
    assert claims.give_up_overdue(ScriptedJob, now=LATER, last_look=True) == 1
    assert given_up(job) == ("failed", "deadline")


def test_a_job_that_waits_for_its_script_has_no_deadline_yet() -> None:
    job = hourglass(next_check_at=None)
    assert claims.give_up_overdue(ScriptedJob, now=NOW + timedelta(days=9)) == 0
    assert given_up(job) == ("active", "")


def test_a_paused_job_has_no_deadline_and_a_resumed_one_a_new_one() -> None:
    job = hourglass()
    answer(job, PENDING)
    job.pause()
    assert claims.give_up_overdue(ScriptedJob, now=LATER) == 0
    job.resume()
    now = timezone.now()
    claim(job, now)
    job.refresh_from_db()
    assert job.deadline_at == now + timedelta(seconds=60)


def test_a_new_deadline_counts_from_where_the_old_one_did() -> None:
    job = hourglass()
    answer(job, PENDING)
    job.deadline_seconds = 100
    job.deadline_changed(60)
    assert job.deadline_at == NOW + timedelta(seconds=100)


def test_a_clock_that_is_set_moves_what_is_left_of_a_deadline_with_it() -> None:
    job = hourglass()
    answer(job, PENDING)
    claims.move_deadlines(ScriptedJob, by=timedelta(days=365))
    assert claims.give_up_overdue(ScriptedJob, now=NOW + timedelta(days=365)) == 0
    claims.move_deadlines(ScriptedJob, by=timedelta(days=-365))
    job.refresh_from_db()
    assert job.deadline_at == NOW + timedelta(seconds=60)


# After it


def test_restart_starts_with_fresh_limits() -> None:
    job = due_job(max_checks=2, deadline_seconds=60, max_consecutive_errors=2)
    answer(job, ERROR, ERROR)
    assert job.status == JobStatus.FAILED
    job.restart()
    now = timezone.now()
    answer(job, ERROR, now=now)
    assert (given_up(job), job.check_count, job.consecutive_errors) == (("active", ""), 1, 1)
    assert job.deadline_at == now + timedelta(seconds=60)
    answer(job, PENDING, now=now)
    assert given_up(job) == ("failed", "max_checks")
    assert sorted(Delivery.objects.values_list("cycle", flat=True)) == [1, 2]


def test_no_job_is_watched_for_ever_by_default() -> None:
    job = due_job()
    answer(job, PENDING)
    assert job.deadline_at == NOW + timedelta(days=7)
    assert (job.max_checks, job.max_consecutive_errors) == (ranges.MAX_CHECKS.default, ranges.MAX_ERRORS.default)


def test_a_verdict_and_a_deadline_at_the_same_instant_end_a_job_once() -> None:
    for _ in range(20):
        hourglass()
    held = claimed()
    start = threading.Barrier(5)

    def race(act: Callable[[], object]) -> None:
        start.wait(20)
        act()
        connection.close()

    def record_all() -> None:
        for claim_ in held.values():
            claims.record(claim_, SUCCESS, now=LATER)

    acts = [record_all, record_all, *[lambda: claims.give_up_overdue(ScriptedJob, now=LATER)] * 3]
    threads = [threading.Thread(target=race, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not ScriptedJob.objects.exclude(status__in=("completed", "failed")).exists()
    assert (ScriptedLog.objects.count(), Delivery.objects.count()) == (20, 20)
