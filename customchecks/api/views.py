"""``/api/custom-checks``: jobs, their logs, and what can be asked of them."""

import uuid
from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.api import uploads
from customchecks.api.documented import (
    CHOICE,
    EITHER_FORM,
    ETAG,
    FORM,
    IF_MATCH,
    JSON,
    KEEPS,
    LOCATION,
    LOG_CHOICE,
    ORDERING,
    SAVED,
)
from customchecks.api.examples import CONFIG, JOB
from customchecks.api.inputs import FormSerializer, NewNameSerializer
from customchecks.api.requests import chosen, conflicting, match, shown
from customchecks.api.serializers import (
    CheckSerializer,
    LogSerializer,
    MovedSerializer,
    StartedSerializer,
    UnderWaySerializer,
)
from customchecks.jobs import by_name, selection, service, trials
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from customchecks.jobs.serializers import JobSerializer
from polling.jobs import test_deliveries
from polling.outbox.deliveries import DeliveryStatus
from polling.site.deliveries_api import DeliveryViewSet
from polling.site.delivery_serializers import DELIVERY, DeliverySerializer
from teckochecker.kit.api.filters import FilterSet, one_of
from teckochecker.kit.api.json_parser import StrictJSONParser
from teckochecker.kit.api.openapi import answer, body, refused
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.rest import Refused, asker
from teckochecker.kit.api.views import ViewSet, change


def moved(message: str) -> dict[Any, Any]:
    return {200: answer(MovedSerializer, {"message": message, "job_id": 7}), **refused(409)}


def started(message: str) -> dict[Any, Any]:
    return {202: answer(StartedSerializer, {**StartedSerializer.example, "message": message}), **refused(409)}


@extend_schema(tags=["Custom checks"])
@extend_schema_view(list=extend_schema(summary="List jobs", parameters=[*CHOICE, ORDERING]))
class CustomCheckViewSet(mixins.ListModelMixin, ViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = JobSerializer
    pagination_class = pages("jobs")
    parser_classes = [StrictJSONParser, MultiPartParser]

    def filter_queryset(self, queryset: Any) -> Any:
        if self.action != "list":
            return queryset
        return selection.ordered(chosen(queryset, self.request), self.request.query_params.get("ordering"))

    @extend_schema(
        description=f"{EITHER_FORM} It is due at once; an upload job without a script waits for it.",
        request={JSON: body(JobSerializer, CONFIG), FORM: FormSerializer},
        parameters=SAVED,
    )
    def create(self, request: Request) -> Response:
        """Create a job."""
        asked = uploads.submission(request)
        job = service.create_job(asked.config, archive=asked.archive, user=asker(request))
        return shown(job, status.HTTP_201_CREATED)

    @extend_schema(parameters=[ETAG])
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a job."""
        return shown(self.get_object(), changed=False)

    @extend_schema(
        description=f"{EITHER_FORM} {KEEPS}",
        request={
            JSON: body(JobSerializer(partial=True), {"poll_interval_seconds": 300}),
            FORM: body(FormSerializer, {"config": '{"poll_interval_seconds": 300}'}),
        },
        responses={200: answer(JobSerializer, {**JOB, "poll_interval_seconds": 300}), **refused(412)},
        parameters=[IF_MATCH, *SAVED],
    )
    def update(self, request: Request, pk: str) -> Response:
        """Change a job."""
        job = self.get_object()
        asked = uploads.submission(request)
        service.update_job(job, asked.config, archive=asked.archive, user=asker(request), match=match(request))
        return shown(job)

    partial_update = update

    @extend_schema(responses={204: None, **refused(412)}, parameters=[IF_MATCH])
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a job.

        With its checks and versions. A running check is ended, and what is still owed is not sent.
        """
        service.delete_job(self.get_object(), match=match(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @change(
        request=NewNameSerializer,
        responses={201: answer(JobSerializer, {**JOB, **NewNameSerializer.example, "status": "paused"})},
        parameters=SAVED,
        needs="add",
        parser_classes=[StrictJSONParser],
    )
    def clone(self, request: Request, pk: str) -> Response:
        """Clone a job.

        With its script, and paused, so that it can be changed first. `name` is the original's with "(copy)" where none
        is given.
        """
        job = self.get_object()
        asked = NewNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = by_name.clone(job, name=asked.validated_data.get("name"), user=asker(request))
        return shown(made, status.HTTP_201_CREATED)

    @change(responses=moved("Job paused"))
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a job."""
        return self._move(CustomCheckJob.pause, "Job paused")

    @change(responses=moved("Job resumed"))
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a paused job.

        It is due at once.
        """
        return self._move(CustomCheckJob.resume, "Job resumed")

    @change(responses=moved("Job restarted"))
    def restart(self, request: Request, pk: str) -> Response:
        """Watch an ended job anew.

        A new cycle, with its own deliveries.
        """
        return self._move(CustomCheckJob.restart, "Job restarted")

    @change(responses=started("Job triggered"), parameters=[LOCATION])
    def trigger(self, request: Request, pk: str) -> Response:
        """Check a job now.

        A paused job is checked once and stays paused.
        """
        return self._started(CustomCheckJob.trigger, "Job triggered")

    @change(responses=started("Test started"), parameters=[LOCATION])
    def test(self, request: Request, pk: str) -> Response:
        """Test a job.

        Its script runs once as in a check, with an answer of its own: no log row, no state, no delivery.
        """
        return self._started(trials.start, "Test started")

    @change(
        "webhook/test",
        url_name="webhook-test",
        responses={202: answer(DeliverySerializer, {**DELIVERY, "test": True}), **refused(409)},
    )
    def webhook_test(self, request: Request, pk: str) -> Response:
        """Send a test of a job's webhook.

        It is made at once; how it went is in the delivery.
        """
        try:
            delivery = test_deliveries.send_test(self.get_object())
        except test_deliveries.SendRefused as error:
            raise Refused(str(error)) from None
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

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
        return Response(MovedSerializer({"message": message, "job_id": job.pk}).data)


@extend_schema(tags=["Custom checks"])
@extend_schema_view(
    list=extend_schema(summary="List the checks of a job", description="The newest first.", parameters=LOG_CHOICE)
)
class CustomCheckLogViewSet(mixins.ListModelMixin, ViewSet[CustomCheckLog]):
    queryset = CustomCheckLog.objects.order_by("-created_at", "-id")
    serializer_class = LogSerializer
    pagination_class = pages("logs")

    def filter_queryset(self, queryset: Any) -> Any:
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=self.kwargs["pk"])
        asked: dict[str, Any] = {name: self.request.query_params.get(name) for name in ("status", "cause", "since")}
        return selection.logs(queryset.filter(job_id=job.pk), **asked)

    @extend_schema(responses={200: CheckSerializer, 202: UnderWaySerializer})
    def retrieve(self, request: Request, pk: str, check_id: str) -> Response:
        """Show one check or test.

        202 until it has ended. The answer of a test is kept for a day.
        """
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


class StatusFilter(FilterSet):
    status = one_of(DeliveryStatus.values, "Only these.", example="failed")


@extend_schema(tags=["Custom checks"])
@extend_schema_view(list=extend_schema(summary="List what a job was to send", description="The newest first."))
class JobDeliveriesViewSet(DeliveryViewSet):
    filterset_class = StatusFilter

    def filter_queryset(self, queryset: Any) -> Any:
        job = get_object_or_404(CustomCheckJob.objects.only("id"), pk=self.kwargs["pk"])
        return super().filter_queryset(queryset.filter(job_kind=job.kind, job_id=job.pk))
