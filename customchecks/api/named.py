"""``/api/custom-checks/by-name/{name}``: jobs by their names."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.api import uploads
from customchecks.api.documented import EITHER_FORM, ETAG, FORM, IF_MATCH, JSON, REPLACES, SAVED
from customchecks.api.examples import CONFIG
from customchecks.api.inputs import FormSerializer
from customchecks.api.requests import asking_to_add, conflicting, match, shown
from customchecks.jobs import by_name
from customchecks.jobs.models import CustomCheckJob
from customchecks.jobs.serializers import JobSerializer
from teckochecker.kit.api.json_parser import StrictJSONParser
from teckochecker.kit.api.openapi import body, header, refused
from teckochecker.kit.api.rest import asker
from teckochecker.kit.api.views import ViewSet

UNNAMED = {field: value for field, value in CONFIG.items() if field != "name"}
FEW = '{"script_source_type": "upload", "script_runtime": "python"}'
ONLY_NEW = header("If-None-Match", "`*`: only where there is none.")


@extend_schema(tags=["Custom checks"])
class NamedViewSet(ViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = JobSerializer
    parser_classes = [StrictJSONParser, MultiPartParser]
    lookup_field, lookup_value_regex = "name", ".+?"

    @extend_schema(responses={200: JobSerializer, **refused(409)}, parameters=[ETAG])
    def retrieve(self, request: Request, name: str) -> Response:
        """Show the job of a name.

        409 where several jobs have it.
        """
        with conflicting():
            job = by_name.find(name)
        if job is None:
            raise exceptions.NotFound(
                f"There is no job named {name!r}. GET /api/custom-checks lists those that there are."
            )
        return shown(job, changed=False)

    @extend_schema(
        operation_id="custom_checks_by_name_replace",
        description=f"{EITHER_FORM} {REPLACES}",
        request={JSON: body(JobSerializer(partial=True), UNNAMED), FORM: body(FormSerializer, {"config": FEW})},
        responses={200: JobSerializer, 201: JobSerializer, **refused(409, 412)},
        parameters=[IF_MATCH, ONLY_NEW, *SAVED],
    )
    def update(self, request: Request, name: str) -> Response:
        """Make or replace the job of a name."""
        asking_to_add(request)
        asked = uploads.submission(request)
        if asked.config.get("name", name) != name:
            raise exceptions.ValidationError({"name": "This is not the name in the path: leave it out."})
        data = {field: value for field, value in asked.config.items() if field != "name"}
        only_new = request.headers.get("If-None-Match", "").strip() == "*"
        with conflicting():
            done = by_name.put(
                name, data, archive=asked.archive, user=asker(request), match=match(request), only_new=only_new
            )
        return shown(done.job, status.HTTP_201_CREATED if done.action == "created" else status.HTTP_200_OK)
