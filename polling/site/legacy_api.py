"""``/api/jobs`` and ``/api/stats`` with the paths, fields and status codes that clients of version 0.9 rely on.

What is wrong with the input is 422 here, and a list has all of its rows.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import psutil
from django.core.exceptions import ValidationError
from django.db.models import Count, Prefetch, QuerySet
from django.urls import re_path
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from polling.jobs import duplicate_names, scheduling
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import JobStatus, TransitionRefused
from polling.openai import service
from polling.openai.batches import Batch
from polling.openai.models import COMPLETED_WITH_FAILURES, STATUSES, PollingJob, PollingLog
from polling.site.openai_serializers import (
    POLLING_JOB,
    ChangeSerializer,
    CreateSerializer,
    OnceSerializer,
    PollingJobSerializer,
    PollingJobWithLogsSerializer,
    PollingLogSerializer,
)
from secrets_app.models import Secret
from teckochecker.kit.api.filters import FilterSet, one_of
from teckochecker.kit.api.openapi import WARNING, answer, body, query, refused
from teckochecker.kit.api.pagination import everything
from teckochecker.kit.api.rest import Refused, asker
from teckochecker.kit.api.views import Router, ViewSet, change

LOGS, MOST_LOGS = 50, 500
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class PollingJobFilters(FilterSet):
    status = one_of(
        [value for value, _ in STATUSES], "Only those in this status; empty, all of them.", example="active", empty=True
    )


@extend_schema(tags=["OpenAI batches"])
@extend_schema_view(
    list=extend_schema(summary="List jobs that watch batches", description="All of them, the newest first.")
)
class PollingJobViewSet(mixins.ListModelMixin, ViewSet[PollingJob]):
    queryset: Any = (
        cast("QuerySet[PollingJob]", PollingJob.objects.order_by("-created_at", "-id"))
        .select_related("openai_secret", "keboola_secret")
        .prefetch_related(Prefetch("batches", Batch.objects.order_by("id")))
    )
    serializer_class = PollingJobSerializer
    pagination_class = everything("jobs")
    filterset_class = PollingJobFilters
    invalid = status.HTTP_422_UNPROCESSABLE_ENTITY

    def handle_exception(self, error: Exception) -> Response:
        if isinstance(error, ValidationError):
            error = exceptions.ValidationError(serializers.as_serializer_error(error))
        if isinstance(error, exceptions.ParseError | exceptions.ValidationError):
            error.status_code = self.invalid
        if isinstance(error, service.SecretUnknown):
            error = exceptions.NotFound(str(error))
        return super().handle_exception(error)

    @extend_schema(
        request=CreateSerializer, responses={201: PollingJobSerializer, **refused(404)}, parameters=[WARNING]
    )
    def create(self, request: Request) -> Response:
        """Watch batches.

        When all batches have ended, the webhook is called, the Keboola job started, or both: one of them is wanted, and
        Keboola's four fields go together. An unknown secret, or one of another type, is 404. A job without
        `webhook_url` and `alert_url` is shown without the fields of webhooks and alerts.
        """
        data = _object(request.data)
        given = OnceSerializer(data={name: data.pop(name) for name in service.ONCE if name in data})
        if not given.is_valid():
            raise exceptions.ValidationError({**service.faults(data), **given.errors})
        job = service.create_job(data, **given.validated_data, user=asker(request))
        told = duplicate_names.headers(job)
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED, headers=told)

    @extend_schema(
        responses=PollingJobWithLogsSerializer,
        parameters=[
            query("include_logs", "Whether to show its logs.", example=True, type="boolean", default=True),
            query(
                "log_limit",
                "How many of the newest logs.",
                example=50,
                type="integer",
                minimum=1,
                maximum=MOST_LOGS,
                default=LOGS,
            ),
        ],
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a job that watches batches."""
        job = self.get_object()
        shown = dict(self.get_serializer(job).data)
        limit = _log_limit(request)
        if _wants_logs(request):
            newest = PollingLog.objects.filter(job=job).order_by("-created_at", "-id")[:limit]
            shown["logs"] = PollingLogSerializer(newest, many=True).data
        return Response(shown)

    @extend_schema(
        request=body(ChangeSerializer(partial=True), {"poll_interval_seconds": 300}),
        responses=answer(PollingJobSerializer, {**POLLING_JOB, "poll_interval_seconds": 300}),
    )
    def update(self, request: Request, pk: str) -> Response:
        """Change a job that watches batches.

        Fields that are not named stay as they are.
        """
        job = self.get_object()
        service.update_job(job, _object(request.data), user=asker(request))
        return Response(self.get_serializer(self.get_object()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a job that watches batches."""
        service.delete_job(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @change(responses={200: answer(PollingJobSerializer, {**POLLING_JOB, "status": "paused"}), **refused(409)})
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a job that watches batches."""
        return self._move(PollingJob.pause)

    @change(responses={200: PollingJobSerializer, **refused(409)})
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a job that watches batches."""
        return self._move(PollingJob.resume)

    def _move(self, transition: Callable[[PollingJob], None]) -> Response:
        job = self.get_object()
        try:
            transition(job)
        except TransitionRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)


class StatsSerializer(serializers.Serializer[dict[str, Any]]):
    """``completed_jobs`` has those with failures too."""

    example = {
        "total_jobs": 12,
        "active_jobs": 5,
        "paused_jobs": 1,
        "completed_jobs": 6,
        "failed_jobs": 0,
        "total_secrets": 4,
        "total_logs": 2300,
        "uptime_seconds": 86400.5,
    }
    total_jobs = serializers.IntegerField(min_value=0)
    active_jobs = serializers.IntegerField(min_value=0)
    paused_jobs = serializers.IntegerField(min_value=0)
    completed_jobs = serializers.IntegerField(min_value=0)
    failed_jobs = serializers.IntegerField(min_value=0)
    total_secrets = serializers.IntegerField(min_value=0)
    total_logs = serializers.IntegerField(min_value=0)
    uptime_seconds = serializers.FloatField()


class StatsView(GenericAPIView[Any]):
    queryset: Any = PollingJob.objects.order_by("id")
    serializer_class = StatsSerializer

    @extend_schema(tags=["System"], operation_id="stats_retrieve")
    def get(self, request: Request) -> Response:
        """Count jobs, secrets and checks.

        Over every kind of job. `uptime_seconds` is that of the process which answers.
        """
        counts = _jobs_by_status()
        found = {
            "total_jobs": sum(counts.values()),
            "active_jobs": counts.get(JobStatus.ACTIVE, 0),
            "paused_jobs": counts.get(JobStatus.PAUSED, 0),
            "completed_jobs": counts.get(JobStatus.COMPLETED, 0) + counts.get(COMPLETED_WITH_FAILURES, 0),
            "failed_jobs": counts.get(JobStatus.FAILED, 0),
            "total_secrets": Secret.objects.count(),
            "total_logs": sum(_log_count(kind) for kind in job_kinds()),
            "uptime_seconds": round(timezone.now().timestamp() - psutil.Process().create_time(), 1),
        }
        return Response(self.get_serializer(found).data)


def _jobs_by_status() -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in job_kinds():
        for found, count in kind.objects.order_by().values_list("status").annotate(Count("pk")):
            counts[found] = counts.get(found, 0) + count
    return counts


def _log_count(kind: type[scheduling.ScheduledJob]) -> int:
    """The rows of what points to the kind's jobs as their ``logs``."""
    logs = [relation.related_model for relation in kind._meta.related_objects if relation.name == "logs"]
    return sum(model._default_manager.count() for model in logs)


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise serializers.ValidationError({"body": ["A JSON object is wanted."]})
    return {**data}


def _log_limit(request: Request) -> int:
    raw = request.query_params.get("log_limit", str(LOGS))
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 6 and 1 <= int(raw) <= MOST_LOGS):
        raise serializers.ValidationError({"log_limit": [f"A whole number from 1 to {MOST_LOGS} is wanted."]})
    return int(raw)


def _wants_logs(request: Request) -> bool:
    raw = request.query_params.get("include_logs", "true").lower()
    if raw not in (*TRUE, *FALSE):
        raise serializers.ValidationError({"include_logs": ["true or false is wanted."]})
    return raw in TRUE


urlpatterns = [
    *Router(("jobs", PollingJobViewSet, "job")).urls,
    re_path(r"^stats/?$", StatsView.as_view(), name="stats"),
]
