"""Commands whose details are tested in this process elsewhere, as processes of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from customchecks.cli.support.exit_codes import Exit
from customchecks.jobs.models import CustomCheckJob
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery, Outcome
from tests.customchecks.cli.conftest import Cli
from tests.polling.services import make_polling_job

MakeJob = Callable[..., CustomCheckJob]


def test_a_script_has_versions_that_are_pinned_and_rolled_back_to(cli: Cli, make_job: MakeJob, script: Path) -> None:
    job = make_job()
    (script / "main.py").write_text("print('new')")
    assert cli("upload-script", "nightly", str(script)).out == "2\n"
    assert [line.split("\t")[0] for line in cli("versions", "nightly").out.splitlines()] == ["2", "1"]
    assert cli("rollback", "nightly", "1").out == "1\n"
    assert cli("pin", "nightly", "2").out == "2\n"
    assert cli("unpin", "nightly").code == Exit.OK
    job.refresh_from_db()
    assert job.script_version_pin is None


def test_a_failed_delivery_is_listed_and_sent_again(cli: Cli, make_job: MakeJob) -> None:
    make_job(webhook_url="https://hooks.example.com/in")
    cli("deliveries", "test", "nightly")
    delivery = Delivery.objects.get()
    delivery.settle(Outcome(started_at=timezone.now(), duration_ms=1, status_code=400), now=timezone.now())
    assert cli("deliveries", "list", "--status", "failed").out.startswith(str(delivery.pk))
    assert cli("deliveries", "resend", str(delivery.pk)).out == f"{delivery.pk}\n"


def test_a_polling_job_is_listed_shown_moved_and_deleted(cli: Cli) -> None:
    job = make_polling_job("batch_1")
    assert cli("polling-job", "list").out.startswith(f"{job.pk}\tnightly\tactive")
    assert cli("polling-job", "pause", "nightly", "--json").json["status"] == "paused"
    assert cli("polling-job", "show", "nightly", "--json").json["status"] == "paused"
    assert cli("polling-job", "resume", "nightly").code == Exit.OK
    assert cli("polling-job", "delete", "nightly", "--yes").code == Exit.OK
    assert not PollingJob.objects.exists()


@pytest.mark.engine
def test_dependencies_are_listed_and_pruned(cli: Cli) -> None:
    assert cli("deps", "list", "--json").json == []
    assert cli("deps", "prune", "--json").json == {"removed": [], "failures_forgotten": []}
