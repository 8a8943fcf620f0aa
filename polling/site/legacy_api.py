"""``/api/jobs`` and ``/api/stats`` with the paths, fields and status codes that clients of version 0.9 rely on.

What is wrong with the input is 422 here, and a list has all of its rows.
"""

from collections.abc import Callable
from typing import Any, NoReturn, cast

import psutil
from django.core.exceptions import ValidationError
from django.db.models import Count, Prefetch, QuerySet
from django.urls import re_path
from django.utils import timezone
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from polling.jobs import duplicate_names, scheduling
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import JobStatus, TransitionRefused
from polling.openai import batches, service
from polling.openai.batches import Batch, BatchStatus
from polling.openai.models import COMPLETED_WITH_FAILURES, STATUSES, PollingJob, PollingLog
from polling.outbox.webhook_fields import WebhookMethod
from secrets_app.models import Secret
from teckochecker.kit.rest import ChoiceField, Refused, StrictSerializer, TextField, WholeNumberField, asker

LOGS, MOST_LOGS = 50, 500
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Unprocessable(exceptions.ValidationError):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY


class BatchSerializer(serializers.ModelSerializer[Batch]):
    class Meta:
        model = Batch
        fields = ("id", "batch_id", "status", "created_at", "completed_at")
        read_only_fields = fields


class PollingLogSerializer(serializers.ModelSerializer[PollingLog]):
    job_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = PollingLog
        fields = ("id", "job_id", "status", "message", "created_at")
        read_only_fields = fields


class PollingJobSerializer(serializers.ModelSerializer[PollingJob]):
    batches = BatchSerializer(many=True, read_only=True)
    batch_count = serializers.SerializerMethodField()
    completed_count = serializers.SerializerMethodField()
    failed_count = serializers.SerializerMethodField()
    openai_secret_id = serializers.IntegerField(read_only=True, allow_null=True)
    openai_secret_name = serializers.CharField(
        source="openai_secret.name", default=None, read_only=True, allow_null=True
    )
    keboola_secret_id = serializers.IntegerField(read_only=True, allow_null=True)
    keboola_secret_name = serializers.CharField(
        source="keboola_secret.name", default=None, read_only=True, allow_null=True
    )

    # Not in the answers that clients of version 0.9 know
    webhook_url = serializers.CharField(required=False, allow_null=True)
    webhook_method = ChoiceField(choices=WebhookMethod.choices, required=False)
    webhook_headers = serializers.JSONField(required=False, allow_null=True)
    webhook_query_params = serializers.JSONField(required=False, allow_null=True)
    webhook_signing_secrets = serializers.JSONField(required=False)
    alert_url = serializers.CharField(required=False, allow_null=True)

    class Meta:
        model = PollingJob
        fields = (
            "id",
            "name",
            "batches",
            "batch_count",
            "completed_count",
            "failed_count",
            "openai_secret_id",
            "openai_secret_name",
            "keboola_secret_id",
            "keboola_secret_name",
            "keboola_stack_url",
            "keboola_component_id",
            "keboola_configuration_id",
            "poll_interval_seconds",
            "status",
            "last_check_at",
            "next_check_at",
            "created_at",
            "completed_at",
            *service.TOLD,
        )
        read_only_fields = fields

    def to_representation(self, job: PollingJob) -> dict[str, Any]:
        """A job without a webhook and an alert address is shown as version 0.9 shows it."""
        shown = super().to_representation(job)
        return {name: value for name, value in shown.items() if name not in service.TOLD or _tells(job)}

    def get_batch_count(self, job: PollingJob) -> int:
        return len(job.batches.all())

    def get_completed_count(self, job: PollingJob) -> int:
        return sum(batch.status == BatchStatus.COMPLETED for batch in job.batches.all())

    def get_failed_count(self, job: PollingJob) -> int:
        return sum(batch.status in batches.UNSUCCESSFUL for batch in job.batches.all())


class ChangeSerializer(StrictSerializer):
    """Types only: values are checked where every way to a job passes."""

    name = TextField(max_length=255)
    keboola_secret_id = WholeNumberField(min_value=1, max_value=2**63 - 1, required=False, allow_null=True)
    keboola_stack_url = TextField(max_length=500, required=False, allow_null=True)
    keboola_component_id = TextField(max_length=255, required=False, allow_null=True)
    keboola_configuration_id = TextField(max_length=255, required=False, allow_null=True)
    webhook_url = TextField(max_length=500, required=False, allow_null=True)
    webhook_method = ChoiceField(choices=WebhookMethod.choices, required=False)
    webhook_headers = serializers.JSONField(required=False, allow_null=True)
    webhook_query_params = serializers.JSONField(required=False, allow_null=True)
    webhook_signing_secrets = serializers.JSONField(required=False)
    alert_url = TextField(max_length=500, required=False, allow_null=True)
    poll_interval_seconds = WholeNumberField(required=False)


class CreateSerializer(ChangeSerializer):
    batch_ids = serializers.ListField(child=TextField())
    openai_secret_id = WholeNumberField(min_value=1, max_value=2**63 - 1)


class PollingJobViewSet(GenericViewSet[PollingJob]):
    queryset: Any = (
        cast("QuerySet[PollingJob]", PollingJob.objects.order_by("-created_at", "-id"))
        .select_related("openai_secret", "keboola_secret")
        .prefetch_related(Prefetch("batches", Batch.objects.order_by("id")))
    )
    serializer_class = PollingJobSerializer
    needs: str | None = None

    def handle_exception(self, error: Exception) -> Response:
        """A body that is no JSON is 422 too."""
        if isinstance(error, exceptions.ParseError):
            error.status_code = Unprocessable.status_code
        return super().handle_exception(error)

    def list(self, request: Request) -> Response:
        """Newest first; ``?status=`` narrows the list."""
        rows = self.get_queryset()
        if wanted := request.query_params.get("status"):
            known = [value for value, _ in STATUSES]
            if wanted not in known:
                raise Unprocessable({"status": [f"One of {', '.join(known)} is wanted."]})
            rows = rows.filter(status=wanted)
        found = self.get_serializer(rows, many=True).data
        return Response({"jobs": found, "total": len(found)})

    def create(self, request: Request) -> Response:
        data = _valid(CreateSerializer(data=request.data))
        given = {name: data.pop(name) for name in ("batch_ids", "openai_secret_id")}
        try:
            job = service.create_job(data, **given, user=asker(request))
        except ValidationError as error:
            _unprocessable(error)
        except service.SecretUnknown as error:
            raise exceptions.NotFound(str(error)) from None
        told = duplicate_names.headers(job)
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED, headers=told)

    def retrieve(self, request: Request, pk: str) -> Response:
        """``?include_logs=false`` leaves the logs out; ``?log_limit=`` newest ones are shown."""
        job = self.get_object()
        shown = dict(self.get_serializer(job).data)
        limit = _log_limit(request)
        if _wants_logs(request):
            newest = PollingLog.objects.filter(job=job).order_by("-created_at", "-id")[:limit]
            shown["logs"] = PollingLogSerializer(newest, many=True).data
        return Response(shown)

    def update(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        data = _valid(ChangeSerializer(data=request.data, partial=True))
        try:
            service.update_job(job, data, user=asker(request))
        except ValidationError as error:
            _unprocessable(error)
        except service.SecretUnknown as error:
            raise exceptions.NotFound(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        service.delete_job(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def pause(self, request: Request, pk: str) -> Response:
        return self._move(PollingJob.pause)

    def resume(self, request: Request, pk: str) -> Response:
        return self._move(PollingJob.resume)

    def _move(self, transition: Callable[[PollingJob], None]) -> Response:
        job = self.get_object()
        try:
            transition(job)
        except TransitionRefused as error:
            raise Refused(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)


class StatsViewSet(GenericViewSet[PollingJob]):
    """Counts over every kind of job; ``completed_jobs`` has those with failures too. Seconds are this process's."""

    queryset: Any = PollingJob.objects.order_by("id")

    def retrieve(self, request: Request) -> Response:
        counts = _jobs_by_status()
        return Response(
            {
                "total_jobs": sum(counts.values()),
                "active_jobs": counts.get(JobStatus.ACTIVE, 0),
                "paused_jobs": counts.get(JobStatus.PAUSED, 0),
                "completed_jobs": counts.get(JobStatus.COMPLETED, 0) + counts.get(COMPLETED_WITH_FAILURES, 0),
                "failed_jobs": counts.get(JobStatus.FAILED, 0),
                "total_secrets": Secret.objects.count(),
                "total_logs": sum(_log_count(kind) for kind in job_kinds()),
                "uptime_seconds": round(timezone.now().timestamp() - psutil.Process().create_time(), 1),
            }
        )


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


def _tells(job: PollingJob) -> bool:
    return bool(job.webhook_url or job.alert_url)


def _valid(serializer: StrictSerializer) -> dict[str, Any]:
    if not serializer.is_valid():
        raise Unprocessable(serializer.errors)
    return dict(serializer.validated_data)


def _unprocessable(error: ValidationError) -> NoReturn:
    raise Unprocessable(serializers.as_serializer_error(error)) from None


def _log_limit(request: Request) -> int:
    raw = request.query_params.get("log_limit", str(LOGS))
    if not (raw.isascii() and raw.isdecimal() and len(raw) < 6 and 1 <= int(raw) <= MOST_LOGS):
        raise Unprocessable({"log_limit": [f"A whole number from 1 to {MOST_LOGS} is wanted."]})
    return int(raw)


def _wants_logs(request: Request) -> bool:
    raw = request.query_params.get("include_logs", "true").lower()
    if raw not in (*TRUE, *FALSE):
        raise Unprocessable({"include_logs": ["true or false is wanted."]})
    return raw in TRUE


JOB = r"^jobs/(?P<pk>[0-9]{1,18})"
_one = PollingJobViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})

urlpatterns = [
    re_path(r"^jobs/?$", PollingJobViewSet.as_view({"get": "list", "post": "create"}), name="jobs"),
    re_path(rf"{JOB}/?$", _one, name="job"),
    *(
        re_path(rf"{JOB}/{verb}/?$", PollingJobViewSet.as_view({"post": verb}, needs="change"), name=f"job-{verb}")
        for verb in ("pause", "resume")
    ),
    re_path(r"^stats/?$", StatsViewSet.as_view({"get": "retrieve"}), name="stats"),
]
