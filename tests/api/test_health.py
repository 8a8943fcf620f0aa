"""Health says whether jobs are checked, and why not: 503 where they are not, "degraded" where something is amiss."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from polling.outbox.deliveries import Delivery
from polling.sweep.models import QueueProof
from tests.polling.sending.couriers import owe
from tests.polling.sweep.leases import on_duty

pytestmark = pytest.mark.django_db
ENGINE = {"part": "engine", "message": "The Docker Engine does not answer.", "checks_run": False}
OPEN = {"part": "rules", "message": "The packet rules do not hold.", "checks_run": True}
SHUT = OPEN | {"checks_run": False}


def health() -> tuple[int, dict[str, Any]]:
    answer = APIClient().get("/api/health")
    return answer.status_code, answer.json()


def told(part: str) -> tuple[int, str, str, list[str]]:
    code, body = health()
    return code, body["status"], body[part], body["reasons"]


def test_all_is_well_where_a_sweep_was_seen_and_has_nothing_to_report() -> None:
    on_duty(seconds_ago=3)
    code, body = health()
    assert (code, body["status"], body["reasons"], body["deliveries_waiting"]) == (200, "healthy", [], 0)
    assert 3 <= body["sweep_age_seconds"] < 20
    parts = ("database", "sweep", "engine", "rules", "queue", "disk", "checks", "deliveries")
    assert [body[part] for part in parts] == ["ok"] * 8


def test_without_a_sweep_no_job_is_checked() -> None:
    assert told("sweep")[:3] == (503, "unhealthy", "failed")
    on_duty(seconds_ago=100)
    code, body = health()
    assert (code, body["engine"], body["sweep_age_seconds"]) == (503, "unknown", None)
    assert body["reasons"][0].startswith("No job is checked: the sweep was last seen 10")


@pytest.mark.parametrize("fault", [ENGINE, SHUT], ids=lambda fault: str(fault["part"]))
def test_what_keeps_scripts_from_running_is_503_with_the_reason(fault: dict[str, Any]) -> None:
    on_duty(fault)
    assert told(fault["part"]) == (503, "unhealthy", "failed", [fault["message"]])


def test_another_host_that_is_well_makes_the_whole_degraded_only() -> None:
    on_duty(ENGINE)
    on_duty(host="other")
    assert told("engine") == (200, "degraded", "failed", [ENGINE["message"]])
    on_duty(ENGINE, host="other")
    assert health()[0] == 503


def test_what_the_operator_has_allowed_is_degraded() -> None:
    on_duty(OPEN)
    assert told("rules") == (200, "degraded", "degraded", [OPEN["message"]])


def test_a_task_that_does_not_go_through_is_told_while_checks_still_run() -> None:
    on_duty()
    asked = timezone.now() - timedelta(seconds=90)
    proof = QueueProof.objects.create(host=settings.TECKO_INSTANCE, asked_at=asked, proved_at=None)
    assert told("queue")[:3] == (200, "degraded", "degraded")
    proof.proved_at = asked + timedelta(seconds=2)
    proof.save()
    assert health()[1]["status"] == "healthy"


def test_a_disk_without_room_is_503(settings: Settings) -> None:
    on_duty()
    settings.TECKO_MIN_FREE_MB = 10**9
    code, status, part, reasons = told("disk")
    assert (code, status, part) == (503, "unhealthy", "failed")
    assert reasons == ["The disk is nearly full: no check starts until there is room."]


def test_checks_that_wait_for_long_are_told_unless_it_is_known_why(
    create_job: Callable[..., CustomCheckJob],
) -> None:
    on_duty()
    job = create_job()
    assert (health()[1]["checks_waiting"], health()[1]["status"]) == (1, "healthy")
    CustomCheckJob.objects.filter(pk=job.pk).update(next_check_at=timezone.now() - timedelta(minutes=6))
    assert told("checks") == (200, "degraded", "degraded", ["1 checks have waited for more than 5 minutes."])
    on_duty(ENGINE)
    assert told("checks") == (503, "unhealthy", "ok", [ENGINE["message"]])


def test_deliveries_that_wait_for_long_are_told() -> None:
    on_duty()
    owe("https://hooks.example.com/")
    assert health()[1]["deliveries_waiting"] == 1
    assert health()[1]["status"] == "healthy"
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=6))
    assert told("deliveries") == (200, "degraded", "degraded", ["1 deliveries have waited for more than 5 minutes."])


def test_a_clone_whose_original_is_at_work_says_so() -> None:
    on_duty(place="another-boot 4026531836")
    code, _, part, reasons = told("sweep")
    assert (code, part) == (503, "failed")
    assert "Another machine" in reasons[0]
