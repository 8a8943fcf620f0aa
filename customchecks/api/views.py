"""``/api/custom-checks``: jobs, their scripts, their logs, and what can be asked of them."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from rest_framework import exceptions, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks import jobs
from customchecks.api import uploads
from customchecks.api.parsing import StrictJSONParser
from customchecks.api.serializers import JobSerializer, LogSerializer
from customchecks.models import CustomCheckJob, CustomCheckLog
from polling.pages import page
from polling.scheduling import JobStatus, TransitionRefused


class Refused(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT


class CustomCheckViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = JobSerializer
    parser_classes = [StrictJSONParser, MultiPartParser]
    needs: str | None = None  # the model permission, where the method does not tell it

    def list(self, request: Request) -> Response:
        """``?status=`` narrows the list."""
        rows = self.get_queryset()
        if wanted := request.query_params.get("status"):
            if wanted not in JobStatus.values:
                raise ValidationError({"status": f"One of {', '.join(JobStatus.values)} is wanted."})
            rows = rows.filter(status=wanted)
        return Response(page(rows, request, key="jobs", serializer=JobSerializer))

    def create(self, request: Request) -> Response:
        """A form (``config``: JSON, ``script``: .tgz) or JSON; an upload job without a script then waits for it."""
        asked = uploads.submission(request)
        job = jobs.create_job(asked.config, archive=asked.archive, user=_user(request))
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def update(self, request: Request, pk: str) -> Response:
        """Every field that creating can set; those that are not named stay as they are."""
        job = self.get_object()
        asked = uploads.submission(request)
        jobs.update_job(job, asked.config, archive=asked.archive, user=_user(request))
        return Response(self.get_serializer(job).data)

    def destroy(self, request: Request, pk: str) -> Response:
        jobs.delete_job(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def upload(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        archive = uploads.script(request, part="file")
        try:
            jobs.store_script(job, archive, user=_user(request))
        except ValidationError as error:
            # Here the part with the script has another name than in a creating form
            errors = error.message_dict
            raise ValidationError({"file" if name == "script" else name: errors[name] for name in errors}) from None
        return Response(
            {"message": "Script uploaded successfully", "path": job.script_file_path, "sha256": archive.sha256}
        )

    def pause(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.pause, "Job paused")

    def resume(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.resume, "Job resumed")

    def trigger(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.trigger, "Job triggered")

    def restart(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.restart, "Job restarted")

    def _move(self, transition: Callable[[CustomCheckJob], None], message: str) -> Response:
        job = self.get_object()
        try:
            transition(job)
        except TransitionRefused as error:
            raise Refused(str(error)) from None
        return Response({"message": message, "job_id": job.pk})


class CustomCheckLogViewSet(GenericViewSet[CustomCheckLog]):
    queryset = CustomCheckLog.objects.order_by("-created_at", "-id")
    serializer_class = LogSerializer

    def list(self, request: Request, pk: str) -> Response:
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=pk)
        rows = self.get_queryset().filter(job_id=job.pk)
        return Response(page(rows, request, key="logs", serializer=LogSerializer))


def _user(request: Request) -> User:
    """The permissions let only somebody who has logged in come this far."""
    return cast(User, request.user)
