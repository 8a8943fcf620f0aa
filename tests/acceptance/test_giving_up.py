"""Scripts that hang, with each of the limits that end their job."""

import io
import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from customchecks.archives import script_archive
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob
from polling.jobs.scheduling import JobStatus
from tests import instances
from tests.acceptance import sweeping
from tests.acceptance.instance import Receiver, wait_for
from tests.factories import tgz

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(1000)"
LIMITS: dict[str, dict[str, int]] = {
    "deadline": {"deadline_seconds": 10, "timeout_seconds": 300},
    "max_checks": {"max_checks": 2, "timeout_seconds": 10},
    "max_consecutive_errors": {"max_consecutive_errors": 2, "timeout_seconds": 10},
}


def hanging_job(cause: str, receiver: Receiver, owner: User) -> CustomCheckJob:
    data = {
        "name": cause,
        "script_source_type": "upload",
        "script_runtime": "python",
        "webhook_url": receiver.url,
        "poll_interval_seconds": 10,
        **LIMITS[cause],
    }
    return service.create_job(data, archive=script_archive.normalise(io.BytesIO(tgz({"main.py": DEAF}))), user=owner)


def ended() -> bool:
    return not CustomCheckJob.objects.exclude(status=JobStatus.FAILED).exists()


def test_each_limit_ends_a_hanging_script_on_time_with_its_container_and_one_call(
    receiver: Receiver, settings: Any
) -> None:
    settings.TECKO_WEBHOOK_ALLOW, settings.TECKO_INSTANCE = ["127.0.0.1"], instances.new()
    settings.TECKO_SPARE_CONTAINERS = 0
    owner = User.objects.create_superuser("owner")
    hanging = {cause: hanging_job(cause, receiver, owner) for cause in LIMITS}
    began = time.monotonic()
    try:
        with sweeping.sweeping():
            wait_for(ended, seconds=120, what="the end of every job")
            gone = wait_for(
                lambda: not sweeping.containers(settings.TECKO_INSTANCE), seconds=20, what="the containers' end"
            )
            wait_for(lambda: len(receiver.calls) >= len(hanging), seconds=20, what="the calls")
            print(f"all given up after {time.monotonic() - began:.1f} s, containers gone {gone:.1f} s later")
            time.sleep(3)  # for calls that must not come
    finally:
        instances.dismantle(settings.TECKO_INSTANCE)
    for cause, job in hanging.items():
        job.refresh_from_db()
        assert job.failure_cause == cause
    payloads = receiver.payloads()
    assert sorted(payload["cause"] for payload in payloads) == sorted(LIMITS)
    assert {payload["check_status"] for payload in payloads} == {"ERROR"}
    late = hanging["deadline"].completed_at - hanging["deadline"].deadline_at
    print(f"deadline exceeded by {late.total_seconds():.1f} s")
    assert late.total_seconds() < 15
    assert [log.cause for log in hanging["deadline"].logs.all()] == ["deadline"]
