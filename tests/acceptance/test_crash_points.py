"""The process that sweeps is killed at every named point of a check's way: its answer arrives all the same."""

import io
import json
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from customchecks.archives import script_archive
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob
from polling.base.crash_points import Point
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from teckochecker.ops import instance_id
from tests import instances
from tests.acceptance import sweeping
from tests.acceptance.instance import Receiver
from tests.factories import tgz
from tests.polling.services import FakeKeboola, FakeOpenAI, make_polling_job, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

SCRIPT = 'print(\'{"status": "SUCCESS", "data": {"parts": 7}}\')'
POINTS = [point for point in Point if point is not Point.GROUP_ENDED]  # the tests of groups kill there
SANDBOXED = POINTS[POINTS.index(Point.SCRIPT_FETCHED) : POINTS.index(Point.CHECK_ANSWERED)]
MADE_TWICE = (Point.DELIVERY_ANSWERED, Point.DELIVERY_COUNTED)  # the receiver knew, and we did not


def due_job(receiver: Receiver) -> CustomCheckJob:
    data = {
        "name": "crash",
        "script_source_type": "upload",
        "script_runtime": "python",
        "webhook_url": receiver.url,
    }
    archive = script_archive.normalise(io.BytesIO(tgz({"main.py": SCRIPT})))
    return service.create_job(data, archive=archive, user=User.objects.create_superuser("owner"))


def let_claims_expire() -> None:
    """The 30 seconds of a check's claim and the 90 of a delivery's."""
    past = timezone.now() - timedelta(seconds=1)
    CustomCheckJob.objects.filter(claim_id__isnull=False).update(claimed_until=past)
    PollingJob.objects.filter(claim_id__isnull=False).update(claimed_until=past)
    Delivery.objects.filter(claim_token__isnull=False).update(claimed_until=past)


def test_there_are_more_than_ten_points() -> None:
    assert len(POINTS) > 10


@pytest.mark.engine
@pytest.mark.parametrize("point", POINTS)
def test_a_sweep_that_is_killed_loses_nothing_and_doubles_nothing(
    point: Point, receiver: Receiver, tmp_path: Path, settings: Any
) -> None:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    instance = instances.record(instance_id.instance_id(tmp_path))
    try:
        job = due_job(receiver)
        assert sweeping.process(tmp_path, crash_at=point) == -signal.SIGKILL
        let_claims_expire()
        assert sweeping.process(tmp_path) == 0
        assert sweeping.containers(instance) == []
    finally:
        instances.dismantle(instance)
    job.refresh_from_db()
    assert (job.status, job.cycle, job.claim_id) == ("completed", 1, None)
    assert [log.status for log in job.logs.all()].count("success") == 1
    delivery = Delivery.objects.get()
    assert {json.loads(body)["delivery_id"] for _, body in receiver.calls} == {str(delivery.pk)}
    assert {headers["webhook-id"] for headers, _ in receiver.calls} == {str(delivery.pk)}
    assert len({body for _, body in receiver.calls}) == 1
    assert len(receiver.calls) == (2 if point in MADE_TWICE else 1)
    assert delivery.status == "delivered"


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("point", [point for point in POINTS if point not in SANDBOXED])
def test_a_sweep_that_is_killed_starts_no_second_keboola_job(point: Point, tmp_path: Path, settings: Any) -> None:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with serving(FakeOpenAI({"batch_1": ["completed"]})) as openai, serving(FakeKeboola([201])) as keboola:
        job = make_polling_job("batch_1", stack_url=keboola.url)
        environ = {"TECKO_OPENAI_URL": openai.url, "TECKO_KEYS": ",".join(settings.TECKO_KEYS)}
        assert sweeping.process(tmp_path, PollingJob, crash_at=point, **environ) == -signal.SIGKILL
        let_claims_expire()
        assert sweeping.process(tmp_path, PollingJob, **environ) == 0
        started = len(keboola.calls)
    job.refresh_from_db()
    outcome = (job.status, job.failure_cause, Delivery.objects.get().status, started)
    expected = {
        Point.DELIVERY_PREPARED: ("failed", "keboola_unknown", "unknown", 0),
        Point.DELIVERY_ANSWERED: ("failed", "keboola_unknown", "unknown", 1),
        Point.DELIVERY_COUNTED: ("failed", "keboola_unknown", "unknown", 1),
    }
    assert outcome == expected.get(point, ("completed", "", "delivered", 1))


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("point", [Point.DELIVERY_WRITTEN, Point.DELIVERY_CLAIMED, Point.DELIVERY_COUNTED])
def test_a_sweep_that_is_killed_while_it_gives_a_job_up_tells_so_with_one_id(
    point: Point, receiver: Receiver, tmp_path: Path, settings: Any
) -> None:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    job = make_polling_job("batch_1")
    tomorrow, past = timezone.now() + timedelta(days=1), timezone.now() - timedelta(seconds=1)
    PollingJob.objects.update(deadline_at=past, next_check_at=tomorrow)
    environ = {"TECKO_ALERT_URL": receiver.url, "TECKO_KEYS": ",".join(settings.TECKO_KEYS)}
    assert sweeping.process(tmp_path, PollingJob, crash_at=point, **environ) == -signal.SIGKILL
    let_claims_expire()
    assert sweeping.process(tmp_path, PollingJob, **environ) == 0
    job.refresh_from_db()
    assert (job.status, job.failure_cause, job.logs.count()) == ("failed", "deadline", 1)
    assert {payload["delivery_id"] for payload in receiver.payloads()} == {str(Delivery.objects.get().pk)}
