"""What django-prometheus counts, beside our own metrics, and across the processes of a host."""

import contextlib
import http.client
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from secrets_app.access.models import ApiToken, Scope
from tests.api import live

QUERIES = 200
ASK = f"""
from django.core.cache import cache
from django.db import connection
with connection.cursor() as cursor:
    for _ in range({QUERIES}):
        cursor.execute("SELECT 1")
        cache.get("nothing")
"""


def values(text: str) -> dict[str, float]:
    """By name, whatever the labels."""
    found: dict[str, float] = {}
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def scrape(port: int, token: str) -> dict[str, float]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as call:
        call.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        return values(call.getresponse().read().decode())


@pytest.mark.parametrize(
    "name",
    [
        "django_http_requests_before_middlewares_total",
        "django_http_requests_latency_seconds_by_view_method_count",
        "django_http_responses_total_by_status_view_method_total",
        "django_db_execute_total",
        "django_db_query_duration_seconds_count",
        "django_cache_get_total",
        "django_cache_get_misses_total",
    ],
)
def test_requests_queries_and_the_cache_are_counted(client: APIClient, name: str) -> None:
    cache.get("nothing")
    client.get("/api/custom-checks")
    assert values(client.get("/metrics").content.decode())[name] > 0


def test_a_request_is_counted_by_its_view_and_status(client: APIClient) -> None:
    client.get("/api/custom-checks/4711")
    text = client.get("/metrics").content.decode()
    assert 'django_http_responses_total_by_status_view_method_total{method="GET",status="404",view="' in text
    assert "/4711" not in text


def test_invented_methods_make_no_series(client: APIClient) -> None:
    for number in range(5):
        client.generic(f"INVENTED{number}", "/api/health")
    assert "INVENTED" not in client.get("/metrics").content.decode()


@pytest.mark.usefixtures("processes")
def test_every_process_of_a_host_counts(tmp_path: Path, django_db_setup: None, transactional_db: None) -> None:
    _, token = ApiToken.objects.create(User.objects.create_superuser("root"), scope=Scope.READ)
    folder: dict[str, Any] = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with live.web_server(**folder) as (port, _):
        before = scrape(port, token)
        for _ in range(20):  # some to each process of the web server
            live.wait_for_port(port)
        environ = os.environ | folder | {"DATABASE_URL": live.database_url()}
        argv = [sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK]
        subprocess.run(argv, cwd=settings.BASE_DIR, env=environ, check=True, timeout=60)
        after = scrape(port, token)
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown["django_http_requests_before_middlewares_total"] == 21
    assert grown["django_db_execute_total"] >= QUERIES
    assert grown["django_cache_get_misses_total"] >= QUERIES
