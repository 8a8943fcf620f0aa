"""The loop itself, with real threads and a real database."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from polling.base.clock import Clock
from polling.jobs.scheduling import JobStatus
from polling.outbox.deliveries import Delivery
from polling.sweep.models import LEASE_SECONDS, SweepLease, this_place
from polling.sweep.sweeper import Capacity, Sweeper, heartbeat_age
from tests.kinds.models import ScriptedJob, ScriptedLog
from tests.polling.http import receivers
from tests.polling.sending.couriers import owe

pytestmark = pytest.mark.django_db(transaction=True)


class Switch:
    def __init__(self) -> None:
        self.on = False

    def __call__(self) -> bool:
        return self.on


def job(**fields: object) -> ScriptedJob:
    return ScriptedJob.objects.create(
        **{"name": "job", "next_check_at": timezone.now(), "answers": ["SUCCESS"]} | fields
    )


def sweep_until(
    condition: Callable[[], bool],
    *,
    checks: int = 10,
    grace: float = 5,
    memory_mb: int = 1000,
    clock: Clock | None = None,
) -> str:
    """Runs a sweep until the condition holds, at most 20 s, and returns what it ended with."""
    switch = Switch()
    sweeper = Sweeper(
        host="test",
        kinds=[ScriptedJob],
        capacity=Capacity(checks, memory_mb),
        stopping=switch,
        grace_seconds=grace,
        duty_seconds=20,
        clock=clock,
    )
    ended: list[str] = []

    def run() -> None:
        ended.append(sweeper.run())
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 15
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    in_time = time.monotonic() < deadline
    switch.on = True
    thread.join(20)
    assert in_time, "the condition did not come true"
    return ended[0]


def completed(count: int) -> Callable[[], bool]:
    return lambda: ScriptedJob.objects.filter(status=JobStatus.COMPLETED).count() == count


def test_every_due_job_is_checked_exactly_once() -> None:
    for _ in range(60):
        job()
    sweep_until(completed(60))
    assert ScriptedLog.objects.count() == 60


def test_no_more_checks_run_at_once_than_there_are_slots() -> None:
    for _ in range(6):
        job(seconds=0.6)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, ScriptedJob.objects.filter(claim_id__isnull=False).count())
        return completed(6)()

    sweep_until(done, checks=2)
    assert most == 2


def test_jobs_wait_rather_than_use_more_memory_than_there_is() -> None:
    for _ in range(4):
        job(seconds=0.6, memory_mb=400)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, ScriptedJob.objects.filter(claim_id__isnull=False).count())
        return completed(4)()

    sweep_until(done, memory_mb=900)
    assert most == 2


def test_a_check_that_crashes_is_an_error_and_harms_no_other() -> None:
    broken, fine = job(answers=["CRASH"]), job()
    sweep_until(lambda: all(each.logs.exists() for each in (broken, fine)))
    assert {log.cause for log in broken.logs.all()} == {"runner_lost"}
    assert fine.logs.get().verdict == "SUCCESS"


def test_a_database_that_fails_under_a_check_is_not_held_against_its_job() -> None:
    unlucky = job(answers=["NO TABLE"])
    sweep_until(lambda: unlucky.logs.exists())
    unlucky.refresh_from_db()
    assert unlucky.logs.get().cause == "database_unavailable"
    assert (unlucky.check_count, unlucky.consecutive_errors) == (0, 0)


def test_a_stop_waits_for_running_checks() -> None:
    running = job(seconds=1.5)
    assert sweep_until(lambda: ScriptedJob.objects.filter(claim_id__isnull=False).exists()) == "stopped"
    running.refresh_from_db()
    assert running.status == JobStatus.COMPLETED


def test_a_check_that_outlasts_the_grace_period_is_due_again() -> None:
    running = job(seconds=60)
    sweep_until(lambda: ScriptedJob.objects.filter(claim_id__isnull=False).exists(), grace=0.5)
    running.refresh_from_db()
    assert (running.status, running.claim_id) == (JobStatus.ACTIVE, None)
    assert running.next_check_at <= timezone.now()
    assert not ScriptedLog.objects.exists()


def test_the_check_of_a_deleted_job_is_killed() -> None:
    doomed = job(seconds=60)
    began = time.monotonic()
    sweep_until(lambda: ScriptedJob.objects.filter(claim_id__isnull=False).exists() and bool(doomed.delete()), grace=30)
    assert time.monotonic() - began < 30
    assert not ScriptedLog.objects.exists()


def test_a_check_that_hangs_beyond_its_jobs_deadline_is_killed() -> None:
    hanging = job(seconds=60, deadline_seconds=1)
    began = time.monotonic()
    sweep_until(lambda: ScriptedJob.objects.filter(failure_cause="deadline", claim_id=None).exists(), grace=30)
    assert time.monotonic() - began < 30
    assert (ScriptedLog.objects.get().cause, Delivery.objects.get().job_id) == ("deadline", hanging.pk)


def test_receivers_that_do_not_answer_take_no_slot_of_a_check(settings: Any) -> None:
    """Sixty calls hang for three seconds each, and sixty checks share ten slots."""
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with ExitStack() as stack:
        silent = [stack.enter_context(receivers.receiving(receivers.silent)) for _ in range(20)]
        owing = ScriptedJob.objects.create(name="owing")
        for number in range(60):
            owe(f"http://127.0.0.1:{silent[number % 20].port}/", job=owing, event=f"e{number}")
        for _ in range(60):
            job(answers=["PENDING"])
        began = time.monotonic()
        sweep_until(lambda: ScriptedLog.objects.count() >= 60)
        took = time.monotonic() - began
        assert all(receiver.connections for receiver in silent)
    print(f"60 checks beside 60 hanging calls: {took:.1f} s with the sweep's end")


def test_only_one_sweep_is_on_duty_on_a_host() -> None:
    second = Sweeper(host="test", kinds=[], capacity=Capacity(1, 1), stopping=lambda: True)
    answers: list[str] = []

    def try_second() -> bool:
        if not answers and heartbeat_age("test") is not None:
            answers.append(second.run())
        return bool(answers)

    sweep_until(try_second)
    assert answers == ["another sweep is on duty"]


def test_the_lease_of_a_process_that_is_gone_is_free_at_once() -> None:
    SweepLease.objects.create(
        host="test",
        sweep_id="0" * 32,
        pid=2**22 - 1,
        process_started=1.0,
        place=this_place(),
        heartbeat_at=timezone.now(),
    )
    job()
    assert sweep_until(completed(1)) == "stopped"


@pytest.mark.parametrize("place", ["another-boot 4026531836", this_place() + "1"], ids=["a clone", "a container"])
def test_the_lease_of_a_process_that_cannot_be_seen_is_not_judged_by_its_number(place: str) -> None:
    lease = SweepLease(
        host="test", sweep_id="0" * 32, pid=2**22 - 1, process_started=1.0, place=place, heartbeat_at=timezone.now()
    )
    assert lease.held(timezone.now())
    assert not lease.held(timezone.now() + timedelta(seconds=LEASE_SECONDS + 1))


@pytest.mark.parametrize("set_by", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_set_while_a_check_runs_gives_no_job_up(set_by: timedelta) -> None:
    """The check is recorded before the sweep looks at deadlines again."""
    offset = [timedelta(0)]
    watched = job(answers=["PENDING", "SUCCESS"], seconds=0.3, deadline_seconds=3600, poll_interval_seconds=86000)

    def checked() -> bool:
        if ScriptedJob.objects.filter(claim_id__isnull=False).exists():
            offset[0] = set_by
        return ScriptedLog.objects.exists()

    sweep_until(checked, clock=Clock(wall=lambda: timezone.now() + offset[0]))
    watched.refresh_from_db()
    assert watched.status == JobStatus.ACTIVE
    assert [log.verdict for log in watched.logs.all()] == ["PENDING"]


def test_a_job_that_failed_under_other_settings_is_checked_when_the_sweep_starts() -> None:
    SweepLease.objects.create(host="test", heartbeat_at=timezone.now(), circumstances="others")
    erring = job(consecutive_errors=1, next_check_at=timezone.now() + timedelta(hours=1))
    sweep_until(lambda: ScriptedJob.objects.get(pk=erring.pk).status == JobStatus.COMPLETED)
    assert ScriptedJob.objects.get(pk=erring.pk).status == JobStatus.COMPLETED
