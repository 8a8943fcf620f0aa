"""What a script says beside its verdict, through the real engine: errors that alert, progress, the next check."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import User

from customchecks.archives import script_archive
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob
from tests import instances
from tests.acceptance import sweeping
from tests.acceptance.instance import Receiver, wait_for
from tests.factories import tgz

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

SCRIPT = """import json, os
number = json.loads(os.environ.get("TECKO_STATE", '{"n": 0}'))["n"] + 1
said = {1: {"status": "ERROR"}, 2: {"status": "ERROR"}, 3: {"status": "PENDING", "progress": 40, "next_check_in": 600}}
print(json.dumps({**said.get(number, {"status": "SUCCESS", "progress": 100}), "state": {"n": number}}))"""


def test_errors_alert_once_and_progress_and_the_next_check_are_the_scripts(receiver: Receiver, settings: Any) -> None:
    settings.TECKO_WEBHOOK_ALLOW, settings.TECKO_INSTANCE = ["127.0.0.1"], instances.new()
    data = {"name": "wishes", "script_source_type": "upload", "script_runtime": "python", "alert_after_errors": 2}
    job = service.create_job(
        {**data, "webhook_url": receiver.url},
        archive=script_archive.normalise(io.BytesIO(tgz({"main.py": SCRIPT}))),
        user=User.objects.create_superuser("owner"),
    )
    try:
        with sweeping.sweeping():
            for number in (1, 2, 3):
                wait_for(lambda number=number: answered(job) == number, seconds=60, what=f"check {number}")
                if number < 3:
                    job.trigger()
            assert (job.progress, job.next_check_in) == (40, 600)
            assert 590 < (job.next_check_at - job.last_check_at).total_seconds() <= 600
            job.trigger()
            wait_for(lambda: answered(job) == 4 and len(receiver.calls) == 3, seconds=60, what="the end")
    finally:
        instances.dismantle(settings.TECKO_INSTANCE)
    assert (job.status, job.progress) == ("completed", 100)
    events = [payload.get("event") for payload in receiver.payloads()]
    assert sorted(map(str, events)) == ["None", "check.alert", "check.recovered"]


def answered(job: CustomCheckJob) -> int:
    job.refresh_from_db()
    return job.check_count
