"""Every transition of a job, on the scripted kind."""

from datetime import timedelta

import pytest
from django.utils import timezone

from polling.base.results import Cause, CheckResult, Verdict
from polling.jobs import claims
from polling.jobs.scheduling import JobStatus, TransitionRefused
from polling.outbox.deliveries import Delivery
from tests.kinds.models import ScriptedJob, ScriptedLog
from tests.polling.jobs.scripted import ERROR, FAILED, NOW, PENDING, SUCCESS, claim, claimed, due_job

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_job_that_is_due_is_claimed_once() -> None:
    job = due_job()
    assert claim(job).job_id == job.pk
    assert claimed() == {}


def test_a_claim_moves_the_next_check_before_anything_can_go_wrong() -> None:
    job = due_job()
    claim(job)
    job.refresh_from_db()
    assert job.next_check_at == NOW + timedelta(seconds=120)


def test_the_longest_due_is_claimed_first() -> None:
    soon, late = due_job(), due_job(next_check_at=NOW - timedelta(hours=1))
    assert list(claimed()) == [late.pk, soon.pk]


def test_a_job_without_room_waits_and_is_not_overtaken() -> None:
    big, small = due_job(memory_mb=900, next_check_at=NOW - timedelta(hours=1)), due_job(memory_mb=1)
    assert claimed(fits=lambda job: job.memory_mb < 100) == {}
    assert {job.claim_id for job in ScriptedJob.objects.filter(pk__in=[big.pk, small.pk])} == {None}


@pytest.mark.parametrize("result", [SUCCESS, FAILED])
def test_a_verdict_about_the_task_completes_the_job_and_owes_one_delivery(result: CheckResult) -> None:
    job = due_job()
    assert claims.record(claim(job), result, now=NOW)
    job.refresh_from_db()
    assert (job.status, job.next_check_at, job.completed_at, job.claim_id) == (JobStatus.COMPLETED, None, NOW, None)
    assert Delivery.objects.get().job_id == job.pk


def test_pending_keeps_the_job_on_its_interval_and_owes_nothing() -> None:
    job = due_job()
    claims.record(claim(job), PENDING, now=NOW + timedelta(seconds=7))
    job.refresh_from_db()
    assert (job.status, job.next_check_at) == (JobStatus.ACTIVE, NOW + timedelta(seconds=120))
    assert not Delivery.objects.exists()


def test_an_error_is_retried_with_growing_capped_delays() -> None:
    job = due_job(poll_interval_seconds=86400)
    delays = []
    for _ in range(9):
        ScriptedJob.objects.update(next_check_at=NOW)
        claims.record(claim(job), ERROR, now=NOW)
        job.refresh_from_db()
        delays.append((job.next_check_at - NOW).total_seconds())
    assert 60 <= delays[0] <= 66
    assert delays[:6] == sorted(delays[:6])
    assert delays[-1] <= 3600 * 1.1
    assert job.consecutive_errors == 9


def test_an_error_of_ours_does_not_count_against_the_job() -> None:
    job = due_job()
    result = CheckResult(verdict=Verdict.ERROR, cause=Cause.ENGINE_UNAVAILABLE)
    claims.record(claim(job), result, now=NOW)
    job.refresh_from_db()
    assert job.consecutive_errors == 0


def test_a_late_writer_changes_nothing() -> None:
    job = due_job()
    stale = claim(job)
    claims.recover(ScriptedJob, now=NOW + timedelta(minutes=5))
    assert not claims.record(stale, SUCCESS, now=NOW)
    job.refresh_from_db()
    assert job.status == JobStatus.ACTIVE
    assert [log.cause for log in ScriptedLog.objects.all()] == [Cause.RUNNER_LOST]


def test_a_lost_check_runs_again_at_once_the_first_time_and_backs_off_then() -> None:
    job = due_job()
    for count, expected in ((1, timedelta(0)), (2, timedelta(seconds=60))):
        ScriptedJob.objects.update(next_check_at=NOW)
        claim(job)
        later = NOW + timedelta(minutes=5)
        assert claims.recover(ScriptedJob, now=later) == 1
        job.refresh_from_db()
        assert job.consecutive_errors == count
        assert job.next_check_at - later >= expected


def test_a_renewed_claim_does_not_expire() -> None:
    job = due_job()
    held = claim(job)
    later = NOW + timedelta(seconds=claims.CLAIM_SECONDS - 1)
    assert claims.renew([held], now=later) == []
    assert claims.recover(ScriptedJob, now=later + timedelta(seconds=2)) == 0


def test_the_claim_of_a_deleted_job_is_reported_lost() -> None:
    job = due_job()
    held = claim(job)
    job.delete()
    assert claims.renew([held], now=NOW) == [held]
    assert not claims.record(held, SUCCESS, now=NOW)


def test_a_check_given_up_at_a_shutdown_is_due_again_and_not_logged() -> None:
    job = due_job()
    claims.release(claim(job), now=NOW)
    assert claimed()
    assert not ScriptedLog.objects.exists()


def test_pausing_survives_the_end_of_a_running_check() -> None:
    job = due_job()
    held = claim(job)
    job.pause()
    claims.record(held, PENDING, now=NOW)
    job.refresh_from_db()
    assert (job.status, job.next_check_at) == (JobStatus.PAUSED, None)


def test_an_error_leaves_a_paused_job_without_a_next_check() -> None:
    job = due_job()
    held = claim(job)
    job.pause()
    claims.record(held, ERROR, now=NOW)
    job.refresh_from_db()
    assert (job.status, job.next_check_at) == (JobStatus.PAUSED, None)


def test_a_terminal_verdict_completes_a_job_that_was_paused_meanwhile() -> None:
    job = due_job()
    held = claim(job)
    job.pause()
    claims.record(held, SUCCESS, now=NOW)
    job.refresh_from_db()
    assert job.status == JobStatus.COMPLETED
    assert Delivery.objects.count() == 1


def test_trigger_on_a_paused_job_runs_one_check_and_leaves_it_paused() -> None:
    job = due_job()
    job.pause()
    job.trigger()
    claims.record(claim(job, timezone.now()), PENDING, now=timezone.now())
    job.refresh_from_db()
    assert (job.status, job.next_check_at) == (JobStatus.PAUSED, None)


@pytest.mark.parametrize("result", [PENDING, ERROR])
def test_trigger_during_a_check_asks_for_one_more_after_it(result: CheckResult) -> None:
    job = due_job()
    held = claim(job)
    job.trigger()
    claims.record(held, result, now=NOW)
    assert claimed(timezone.now())


def test_restart_opens_a_new_cycle_with_a_delivery_of_its_own() -> None:
    job = due_job()
    claims.record(claim(job), SUCCESS, now=NOW)
    job.refresh_from_db()
    job.restart()
    claims.record(claim(job, timezone.now()), SUCCESS, now=timezone.now())
    assert sorted(Delivery.objects.values_list("cycle", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    ("status", "verb"),
    [
        ("paused", "pause"),
        ("completed", "pause"),
        ("active", "resume"),
        ("completed", "resume"),
        ("completed", "trigger"),
        ("failed", "trigger"),
        ("active", "restart"),
        ("paused", "restart"),
    ],
)
def test_a_wrong_transition_is_refused_with_a_sentence_and_changes_nothing(status: str, verb: str) -> None:
    job = due_job(status=status)
    with pytest.raises(TransitionRefused, match=f"A job that is {status} cannot be"):
        getattr(job, verb)()
    job.refresh_from_db()
    assert (job.status, job.next_check_at) == (status, NOW)


def test_a_new_interval_counts_from_the_last_check() -> None:
    checked = timezone.now()
    job = due_job(last_check_at=checked, next_check_at=checked + timedelta(days=1))
    job.poll_interval_seconds = 600
    job.interval_changed()
    assert job.next_check_at == checked + timedelta(seconds=600)


def test_a_finished_job_keeps_its_end_when_its_interval_changes() -> None:
    job = due_job(status=JobStatus.COMPLETED, next_check_at=None)
    job.interval_changed()
    assert job.next_check_at is None


def test_a_shutdown_leaves_a_job_that_was_paused_meanwhile_alone() -> None:
    job = due_job()
    held = claim(job)
    job.pause()
    claims.release(held, now=NOW)
    job.refresh_from_db()
    assert (job.claim_id, job.next_check_at) == (None, None)


def test_a_shutdown_does_not_forget_a_trigger_on_a_paused_job() -> None:
    job = due_job()
    job.pause()
    job.trigger()
    held = claim(job, timezone.now())
    claims.release(held, now=timezone.now())
    assert claimed(timezone.now())


def test_a_changed_interval_does_not_lose_a_trigger() -> None:
    job = due_job(last_check_at=timezone.now())
    job.trigger()
    job.poll_interval_seconds = 86400
    job.interval_changed()
    assert claimed(timezone.now())


@pytest.mark.parametrize(("status", "hours", "pulled"), [("PENDING", 1, True), ("ERROR", 1, False), ("ERROR", 2, True)])
def test_a_clock_that_was_set_back_makes_no_job_wait_longer_than_it_should(
    status: str, hours: int, pulled: bool
) -> None:
    job = due_job(last_check_status=status, next_check_at=NOW + timedelta(hours=hours))
    claims.pull_back(ScriptedJob, now=NOW)
    job.refresh_from_db()
    assert (job.next_check_at == NOW) is pulled
