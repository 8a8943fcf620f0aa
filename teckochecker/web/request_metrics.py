"""django-prometheus's counters of requests, in which nobody can make up label values."""

from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class CountRequests(PrometheusAfterMiddleware):
    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        """Each invented method would be a new series for ever: of the latency's, whose method is as it came."""
        if labels.get("method", "GET") not in METHODS:
            labels["method"] = "<invalid method>"
        return metric.labels(**labels) if labels else metric
