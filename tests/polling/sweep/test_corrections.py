"""What failed under other settings is tried again as soon as a sweep has started."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from polling.outbox.deliveries import Delivery
from polling.sweep import corrections
from polling.sweep.models import SweepLease
from tests.kinds.models import ScriptedJob
from tests.polling.sending.couriers import owe

pytestmark = pytest.mark.django_db

LATER = timedelta(hours=1)


@pytest.fixture
def begun() -> None:
    SweepLease.objects.create(host="here", heartbeat_at=timezone.now())
    corrections.take_up("here", [ScriptedJob])


def job(**columns: Any) -> ScriptedJob:
    return ScriptedJob.objects.create(name="job", next_check_at=timezone.now() + LATER, **columns)


def waits(row: ScriptedJob) -> bool:
    row.refresh_from_db()
    return row.next_check_at is not None and row.next_check_at > timezone.now()


@pytest.mark.usefixtures("begun")
def test_a_job_that_errs_is_due_when_a_setting_has_changed(settings: Any) -> None:
    erring, well = job(consecutive_errors=3), job()
    settings.TECKO_WEBHOOK_ALLOW = ["git.internal"]
    corrections.take_up("here", [ScriptedJob])
    assert (waits(erring), waits(well)) == (False, True)


@pytest.mark.usefixtures("begun")
def test_the_same_settings_hasten_nothing() -> None:
    erring = job(consecutive_errors=3)
    corrections.take_up("here", [ScriptedJob])
    assert waits(erring)


@pytest.mark.usefixtures("begun")
def test_another_content_of_the_file_of_authorities_is_a_change(settings: Any, tmp_path: Path) -> None:
    settings.TECKO_CA_BUNDLE = str(tmp_path / "ca.pem")
    (tmp_path / "ca.pem").write_text("one")
    corrections.take_up("here", [ScriptedJob])
    erring = job(consecutive_errors=1)
    (tmp_path / "ca.pem").write_text("two")
    corrections.take_up("here", [ScriptedJob])
    assert not waits(erring)


@pytest.mark.usefixtures("begun")
def test_a_call_that_was_tried_in_vain_is_due_and_a_new_one_waits_for_its_time(settings: Any) -> None:
    tried, new = owe("https://hooks.example.com/a"), owe("https://hooks.example.com/b")
    Delivery.objects.update(next_attempt_at=timezone.now() + LATER)
    Delivery.objects.filter(pk=tried.pk).update(attempts=4)
    settings.TECKO_WEBHOOK_ALLOW = ["hooks.example.com"]
    corrections.take_up("here", [ScriptedJob])
    due = Delivery.objects.filter(next_attempt_at__lte=timezone.now())
    assert [row.pk for row in due] == [tried.pk]
    assert new.pk != tried.pk


def test_the_first_sweep_of_a_host_hastens_nothing() -> None:
    SweepLease.objects.create(host="here", heartbeat_at=timezone.now())
    erring = job(consecutive_errors=1)
    corrections.take_up("here", [ScriptedJob])
    assert waits(erring)
