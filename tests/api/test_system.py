"""Health, metrics and deliveries."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims, metrics
from polling.outbox.deliveries import Delivery
from tests.polling.jobs.grouped import make_group
from tests.polling.sweep.leases import on_duty

DELIVERIES = "/api/deliveries"


@pytest.mark.parametrize("path", ["/api/health", "/api/health/"])
def test_health_is_open_to_all(db: None, path: str) -> None:
    on_duty()
    answer = APIClient().get(path, HTTP_AUTHORIZATION="Token nonsense")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["version"]) == ("healthy", settings.VERSION)


def test_metrics_hold_counters_of_processes_and_gauges_of_the_database(
    client: APIClient, create_job: Callable[..., CustomCheckJob]
) -> None:
    make_group(create_job())
    metrics.executions.labels(status="SUCCESS", runtime="python").inc()
    answer = client.get("/metrics")
    text = answer.content.decode()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'jobs{kind="custom",status="active"} 1.0' in text
    assert 'job_groups{status="active"} 1.0' in text
    assert 'custom_check_executions_total{runtime="python",status="SUCCESS"}' in text


@pytest.fixture
def delivery(create_job: Callable[..., CustomCheckJob], make_secret: Any) -> Delivery:
    make_secret("gemini")
    create_job(webhook_url="https://hooks.example.com/x", webhook_headers={"Authorization": "Bearer secret_ref:gemini"})
    now = timezone.now()
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
    claims.record(claim, CheckResult(verdict=Verdict.SUCCESS), now=now)
    return Delivery.objects.get()


@pytest.mark.parametrize("tail", ["", "/"])
def test_a_delivery_says_who_asked_and_how_it_went(client: APIClient, delivery: Delivery, tail: str) -> None:
    shown = client.get(f"{DELIVERIES}/{delivery.pk}{tail}").json()
    assert (shown["job_kind"], shown["job_id"], shown["job_name"]) == ("custom", delivery.job_id, "nightly")
    assert (shown["status"], shown["attempts"]) == ("pending", 0)
    assert "canary" not in str(shown)


def test_deliveries_are_an_envelope(client: APIClient, delivery: Delivery) -> None:
    page = client.get(f"{DELIVERIES}?limit=1").json()
    assert (page["total"], page["limit"], page["offset"]) == (1, 1, 0)
    assert page["deliveries"][0]["id"] == str(delivery.pk)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=pending", 1),
        ("status=failed", 0),
        ("job_kind=custom", 1),
        ("job_kind=x", 0),
        ("job_kind=%00", 0),
        ("job_id=999999999999999999", 0),
    ],
)
def test_deliveries_can_be_narrowed(client: APIClient, delivery: Delivery, query: str, found: int) -> None:
    assert client.get(f"{DELIVERIES}?{query}").json()["total"] == found


@pytest.mark.parametrize("query", ["status=x", "job_id=x", "job_id=-1", "job_id=" + "9" * 30, "limit=0"])
def test_a_wrong_query_is_400(client: APIClient, query: str) -> None:
    assert client.get(f"{DELIVERIES}?{query}").status_code == 400


@pytest.mark.parametrize("delivery_id", [str(uuid.UUID(int=7)), "-" * 36, "x", "1 OR 1=1"])
def test_an_unknown_delivery_is_404(client: APIClient, delivery_id: str) -> None:
    assert client.get(f"{DELIVERIES}/{delivery_id}").status_code == 404


def test_deliveries_are_read_only(client: APIClient, delivery: Delivery) -> None:
    codes = {
        getattr(client, method)(f"{DELIVERIES}/{delivery.pk}").status_code for method in ("put", "patch", "delete")
    }
    assert codes == {405}
