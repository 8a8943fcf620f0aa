"""``/api/custom-checks/by-name/{name}`` and ``…/{id}/clone``: jobs by their names, and copies."""

from typing import Any

from rest_framework import exceptions, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.api import uploads
from customchecks.api.requests import asking_to_add, body, conflicting, match, shown
from customchecks.jobs import by_name
from customchecks.jobs.models import CustomCheckJob
from teckochecker.kit.json_parser import StrictJSONParser
from teckochecker.kit.rest import asker


class NamedViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    parser_classes = [StrictJSONParser, MultiPartParser]
    needs: str | None = None

    def retrieve(self, request: Request, name: str) -> Response:
        with conflicting():
            job = by_name.find(name)
        if job is None:
            raise exceptions.NotFound(
                f"There is no job named {name!r}. GET /api/custom-checks lists those that there are."
            )
        return shown(job, changed=False)

    def replace(self, request: Request, name: str) -> Response:
        """The whole definition: what is not named gets its default. A script that was uploaded stays without a new one.

        ``If-None-Match: *`` makes a new job only.
        """
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

    def clone(self, request: Request, pk: str) -> Response:
        """Paused, with the same definition and script. ``name`` is the original's with "(copy)" where none is given."""
        job = self.get_object()
        name = body(request, known=("name",)).get("name")
        return shown(by_name.clone(job, name=name, user=asker(request)), status.HTTP_201_CREATED)
