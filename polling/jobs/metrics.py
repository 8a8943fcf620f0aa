"""Counters and histograms of checks and deliveries, and the gauges that are read from the database at scrape time."""

from collections.abc import Iterable

from django.db.models import Count
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from polling.jobs.groups import JobGroup
from polling.jobs.registry import kinds
from polling.outbox.deliveries import Delivery

executions = Counter("custom_check_executions_total", "Checks that ended", ["status", "runtime"])
duration = Histogram("custom_check_duration_seconds", "Duration of a check in seconds", ["runtime"])
errors = Counter("custom_check_errors_total", "Checks that ended as ERROR, by cause", ["error_type"])
start_delay = Histogram(
    "check_start_delay_seconds",
    "From due to the start of the script, in seconds",
    buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300),
)
webhook_calls = Counter("webhook_calls_total", "Attempts of deliveries by the receiver's status code", ["status_code"])
deliveries_ended = Counter("deliveries_ended_total", "Deliveries that ended, by how", ["status"])
delivery_delay = Histogram(
    "delivery_delay_seconds",
    "From due to the start of an attempt, in seconds",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
webhook_duration = Histogram("webhook_duration_seconds", "Duration of an attempt of a delivery in seconds")


class DatabaseCollector(Collector):
    """Gauges that are true for the whole system and not for one process."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("jobs", "Jobs by kind and status", labels=["kind", "status"])
        checks = GaugeMetricFamily("checks_in_flight", "Checks that are running, by kind", labels=["kind"])
        for kind in kinds():
            counts = kind.objects.order_by().values_list("status").annotate(Count("pk")) if kind.counted else ()
            for status, count in counts:
                jobs.add_metric([kind.kind, status], count)
            checks.add_metric([kind.kind], kind.objects.filter(claim_id__isnull=False).count())
        yield jobs
        groups = GaugeMetricFamily("job_groups", "Groups of jobs by status", labels=["status"])
        for status, count in JobGroup.objects.order_by().values_list("status").annotate(Count("pk")):
            groups.add_metric([status], count)
        yield groups
        yield checks
        deliveries = GaugeMetricFamily("deliveries", "Deliveries by status", labels=["status"])
        for status, count in Delivery.objects.order_by().values_list("status").annotate(Count("pk")):
            deliveries.add_metric([status], count)
        yield deliveries
