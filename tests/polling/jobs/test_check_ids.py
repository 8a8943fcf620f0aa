"""The id of a check is known before it starts to whoever triggered it."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from polling.jobs.scheduling import Claim
from tests.kinds.models import ScriptedJob, ScriptedLog

pytestmark = pytest.mark.django_db(transaction=True)

PENDING = CheckResult(verdict=Verdict.PENDING)
SUCCESS = CheckResult(verdict=Verdict.SUCCESS)


@pytest.fixture
def job() -> ScriptedJob:
    return ScriptedJob.objects.create(name="job", poll_interval_seconds=120, next_check_at=timezone.now())


def claim(now: datetime | None = None) -> Claim:
    ((_, held),) = claims.claim_due(ScriptedJob, host="h", now=now or timezone.now(), fits=lambda _: True)
    return held


def fresh(job: ScriptedJob) -> ScriptedJob:
    return ScriptedJob.objects.get(pk=job.pk)


def test_a_triggered_check_is_logged_under_the_id_that_was_promised(job: ScriptedJob) -> None:
    check_id = job.trigger()
    claims.record(claim(), PENDING, now=timezone.now())
    assert ScriptedLog.objects.get().check_id == check_id


def test_who_triggers_a_check_that_waits_already_gets_its_id(job: ScriptedJob) -> None:
    assert fresh(job).trigger() == fresh(job).trigger()


def test_a_trigger_during_a_check_promises_the_one_after_it(job: ScriptedJob) -> None:
    running = claim()
    check_id = job.trigger()
    assert check_id != running.check_id
    claims.record(running, PENDING, now=timezone.now())
    assert claim().check_id == check_id


def test_a_promise_serves_one_check_only(job: ScriptedJob) -> None:
    check_id = job.trigger()
    claims.record(claim(), PENDING, now=timezone.now())
    assert claim(timezone.now() + timedelta(hours=1)).check_id != check_id


def test_the_state_of_a_check_goes_from_waiting_to_running_to_none(job: ScriptedJob) -> None:
    check_id = job.trigger()
    assert fresh(job).state_of(check_id) == "waiting"
    held = claim()
    assert fresh(job).state_of(check_id) == "running"
    claims.record(held, PENDING, now=timezone.now())
    assert fresh(job).state_of(check_id) is None


def test_a_check_interrupted_by_a_shutdown_goes_on_under_its_id_and_another_claim(job: ScriptedJob) -> None:
    job.trigger()
    interrupted = claim()
    claims.release(interrupted, now=timezone.now())
    again = claim()
    assert (again.check_id, again.claim_id == interrupted.claim_id) == (interrupted.check_id, False)
    assert not claims.record(interrupted, SUCCESS, now=timezone.now())


def test_a_lost_check_is_logged_under_its_id(job: ScriptedJob) -> None:
    check_id = job.trigger()
    claim()
    claims.recover(ScriptedJob, now=timezone.now() + timedelta(minutes=5))
    assert (ScriptedLog.objects.get().check_id, ScriptedLog.objects.get().cause) == (check_id, "runner_lost")


@pytest.mark.parametrize("ending", ["success", "pause"])
def test_a_check_that_will_not_be_made_does_not_wait(job: ScriptedJob, ending: str) -> None:
    running = claim()
    check_id = job.trigger()
    if ending == "pause":
        job.pause()
    else:
        claims.record(running, SUCCESS, now=timezone.now())
    assert fresh(job).state_of(check_id) is None


@pytest.mark.parametrize("verb", ["restart", "resume"])
def test_what_was_promised_before_an_end_is_not_the_next_check(job: ScriptedJob, verb: str) -> None:
    running = claim()
    check_id = job.trigger()
    if verb == "resume":
        job.pause()
    claims.record(running, PENDING if verb == "resume" else SUCCESS, now=timezone.now())
    getattr(fresh(job), verb)()
    assert claim().check_id not in (check_id, running.check_id)


def test_a_job_made_to_be_checked_once_is_checked_once() -> None:
    once = ScriptedJob.once(name="once", poll_interval_seconds=10)
    assert isinstance(once.next_check_id, uuid.UUID)
    claims.record(claim(), PENDING, now=timezone.now())
    later = timezone.now() + timedelta(days=1)
    assert claims.claim_due(ScriptedJob, host="h", now=later, fits=lambda _: True) == []
