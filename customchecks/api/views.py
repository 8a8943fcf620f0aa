"""``/api/custom-checks``: jobs, their scripts, their logs, and what can be asked of them."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks import jobs, strictjson
from customchecks.api import uploads
from customchecks.api.serializers import JobSerializer, LogSerializer
from customchecks.models import CustomCheckJob, CustomCheckLog
from polling.pages import page
from polling.scheduling import JobStatus, TransitionRefused


class Refused(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT


class CustomCheckViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = JobSerializer

    def list(self, request: Request) -> Response:
        """``?status=`` narrows the list."""
        rows = self.get_queryset()
        if wanted := request.query_params.get("status"):
            if wanted not in JobStatus.values:
                raise serializers.ValidationError({"status": [f"One of {', '.join(JobStatus.values)} is wanted."]})
            rows = rows.filter(status=wanted)
        return Response(page(rows, request, key="jobs", serializer=JobSerializer))

    def create(self, request: Request) -> Response:
        """Multipart (``config``: JSON, ``script``: .tgz) or JSON; then an upload job waits for its script."""
        config, upload = _configuration(request.data)
        serializer = self.get_serializer(data=config)
        serializer.is_valid(raise_exception=True)
        archive = None if upload is None else uploads.archive(upload, field="script")
        job = jobs.create_job(serializer.validated_data, archive=archive, user=request.user)  # type: ignore[arg-type]
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def update(self, request: Request, pk: str) -> Response:
        """Every field that creating can set; those that are not named stay as they are."""
        job = self.get_object()
        serializer = self.get_serializer(job, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        jobs.update_job(job, serializer.validated_data, user=request.user)
        return Response(self.get_serializer(job).data)

    def destroy(self, request: Request, pk: str) -> Response:
        jobs.delete_job(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def upload(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        upload = request.data.get("file") if isinstance(request.data, Mapping) else None
        archive = uploads.archive(upload, field="file")
        jobs.store_script(job, archive)
        return Response(
            {"message": "Script uploaded successfully", "path": job.script_file_path, "sha256": archive.sha256}
        )

    def logs(self, request: Request, pk: str) -> Response:
        rows = CustomCheckLog.objects.filter(job=self.get_object()).order_by("-created_at", "-id")
        return Response(page(rows, request, key="logs", serializer=LogSerializer))

    def pause(self, request: Request, pk: str) -> Response:
        return self._move("pause", "Job paused")

    def resume(self, request: Request, pk: str) -> Response:
        return self._move("resume", "Job resumed")

    def trigger(self, request: Request, pk: str) -> Response:
        return self._move("trigger", "Job triggered")

    def restart(self, request: Request, pk: str) -> Response:
        return self._move("restart", "Job restarted")

    def _move(self, verb: str, message: str) -> Response:
        job = self.get_object()
        try:
            getattr(job, verb)()
        except TransitionRefused as error:
            raise Refused(str(error)) from None
        return Response({"message": message, "job_id": job.pk})


def _configuration(data: Any) -> tuple[Any, object]:
    """The job's fields and the upload, of either kind of request."""
    if not isinstance(data, QueryDict):
        return data, None
    if odd := set(data) - {"config", "script"}:
        raise serializers.ValidationError({name: ["There is no such part; config and script are."] for name in odd})
    try:
        config = strictjson.loads(data.get("config", ""))
    except strictjson.NotStrict as error:
        raise serializers.ValidationError({"config": [f"config is no JSON: {error}."]}) from None
    if not isinstance(config, Mapping):
        raise serializers.ValidationError({"config": ["A JSON object is wanted."]})
    return config, data.get("script")
