"""``/api/custom-checks``: jobs, their scripts, their logs, and what can be asked of them."""

import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from rest_framework import exceptions, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.api import uploads
from customchecks.api.requests import chosen, conflicting, match, shown
from customchecks.api.serializers import (
    CheckSerializer,
    JobSerializer,
    LogSerializer,
    StartedSerializer,
    UnderWaySerializer,
)
from customchecks.jobs import etags, selection, service, trials
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from teckochecker.kit.json_parser import StrictJSONParser
from teckochecker.kit.pagination import page
from teckochecker.kit.rest import asker


class CustomCheckViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = JobSerializer
    parser_classes = [StrictJSONParser, MultiPartParser]
    needs: str | None = None  # the model permission, where the method does not tell it

    def list(self, request: Request) -> Response:
        """``?status=``, ``?runtime=``, ``?tag=`` and ``?search=`` narrow the list, ``?ordering=`` orders it."""
        rows = selection.ordered(chosen(self.get_queryset(), request), request.query_params.get("ordering"))
        return Response(page(rows, request, key="jobs", serializer=JobSerializer))

    def create(self, request: Request) -> Response:
        """A form (``config``: JSON, ``script``: .tgz) or JSON; an upload job without a script then waits for it."""
        asked = uploads.submission(request)
        job = service.create_job(asked.config, archive=asked.archive, user=asker(request))
        return shown(job, status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        return shown(self.get_object(), changed=False)

    def update(self, request: Request, pk: str) -> Response:
        """Every field that creating can set; those that are not named stay as they are."""
        job = self.get_object()
        asked = uploads.submission(request)
        service.update_job(job, asked.config, archive=asked.archive, user=asker(request), match=match(request))
        return shown(job)

    def destroy(self, request: Request, pk: str) -> Response:
        service.delete_job(self.get_object(), match=match(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def upload(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        archive = uploads.script(request, part="file")
        try:
            service.store_script(job, archive, user=asker(request), match=match(request))
        except ValidationError as error:
            # Here the part with the script has another name than in a creating form
            errors = error.message_dict
            raise ValidationError({"file" if name == "script" else name: errors[name] for name in errors}) from None
        return Response(
            {"message": "Script uploaded successfully", "path": job.script_file_path, "sha256": archive.sha256},
            headers={"ETag": etags.of(job)},
        )

    def pause(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.pause, "Job paused")

    def resume(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.resume, "Job resumed")

    def trigger(self, request: Request, pk: str) -> Response:
        """The check is due now; ``location`` is where its log row will be."""
        return self._started(CustomCheckJob.trigger, "Job triggered")

    def test(self, request: Request, pk: str) -> Response:
        """Runs the script once as in a check, without an effect on the job."""
        return self._started(trials.start, "Test started")

    def restart(self, request: Request, pk: str) -> Response:
        return self._move(CustomCheckJob.restart, "Job restarted")

    def _started(self, start: Callable[[CustomCheckJob], uuid.UUID], message: str) -> Response:
        job = self.get_object()
        with conflicting():
            check_id = start(job)
        body = StartedSerializer({"message": message, "job_id": job.pk, "check_id": check_id}).data
        return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": body["location"]})

    def _move(self, transition: Callable[[CustomCheckJob], None], message: str) -> Response:
        job = self.get_object()
        with conflicting():
            transition(job)
        return Response({"message": message, "job_id": job.pk})


class CustomCheckLogViewSet(GenericViewSet[CustomCheckLog]):
    queryset = CustomCheckLog.objects.order_by("-created_at", "-id")
    serializer_class = LogSerializer

    def list(self, request: Request, pk: str) -> Response:
        """``?status=``, ``?cause=`` and ``?since=`` narrow the list."""
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=pk)
        asked = {name: request.query_params.get(name) for name in ("status", "cause", "since")}
        rows = selection.logs(self.get_queryset().filter(job_id=job.pk), **asked)
        return Response(page(rows, request, key="logs", serializer=LogSerializer))

    def retrieve(self, request: Request, pk: str, check_id: str) -> Response:
        """One check or test: 202 with its ``state``, "waiting" or "running", until it has ended."""
        job, wanted = get_object_or_404(CustomCheckJob, pk=pk), uuid.UUID(check_id)
        if log := job.logs.filter(check_id=wanted).first():
            return Response(CheckSerializer(log).data)
        trial = trials.find(job, wanted)
        if trial is not None and trial.answer is not None:
            return Response(CheckSerializer(trial.answer).data)
        state = (trial or job).state_of(wanted)
        if state is None:
            raise exceptions.NotFound("The job has no such check: it was never made, or its row is not kept any more.")
        body = UnderWaySerializer({"job_id": job.pk, "check_id": wanted, "state": state}).data
        return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Retry-After": "1"})
