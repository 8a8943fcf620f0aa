"""Many jobs at once: bulk actions, and jobs as a document."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, parsers, serializers
from rest_framework.decorators import action
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.api.documented import CHOICE, JSON, YAML
from customchecks.api.examples import LOG
from customchecks.api.inputs import DocumentSerializer, ManySerializer
from customchecks.api.requests import asking_to_add, chosen
from customchecks.api.serializers import BulkSerializer, ImportSerializer, put_shape
from customchecks.jobs import bulk, export
from customchecks.jobs.models import CustomCheckJob
from teckochecker.kit import safe_yaml
from teckochecker.kit.api.json_parser import StrictJSONParser
from teckochecker.kit.api.openapi import answer, body, query
from teckochecker.kit.api.rest import asker
from teckochecker.kit.api.views import ViewSet

MOST_EXPORTED = 10_000
EXPORTED = "teckochecker: 1\njobs:\n- name: nightly export\n  script_source_type: upload\n  script_runtime: python\n"
DRY_RUN = query("dry_run", "Only say what would be done.", example="true", enum=["true", "false"])


class YamlParser(parsers.BaseParser):
    media_type = YAML

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return safe_yaml.read(stream.read(safe_yaml.MOST_BYTES + 1))
        except safe_yaml.NotUsable as error:
            raise exceptions.ParseError(f"The body is not YAML that can be used: {error}.") from None


class ErrorsInJSON(BaseContentNegotiation):
    """An export is YAML whatever is asked for, and an error of it is JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def of_many(
    word: str, summary: str, *, status: str | None = "active", needs: str = "change"
) -> Callable[..., Response]:
    """The call that does one action of ``customchecks.jobs.bulk`` with many jobs."""
    check_id = LOG["check_id"] if word == "trigger" else None
    done = {"job_id": 7, "ok": True, "status": status, "check_id": check_id, "detail": ""}
    gone = {"job_id": 8, "ok": False, "status": None, "check_id": None, "detail": bulk.GONE}
    example = {"action": word, "results": [done, gone], "total": 2, "succeeded": 1, "failed": 1}

    def run(self: "BulkViewSet", request: Request) -> Response:
        return self._run(word, request)

    run.__name__ = f"{word}_many"
    described = extend_schema(
        summary=summary,
        description=f"Of `ids` or of all that a `filter` finds, at most {bulk.MOST}. Each has its own result.",
        request=ManySerializer,
        responses=answer(BulkSerializer, example),
    )
    return described(action(detail=False, methods=["post"], url_path=word, url_name=word, needs=needs)(run))


@extend_schema(tags=["Custom checks"])
class BulkViewSet(ViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")

    pause_many = of_many("pause", "Pause many jobs", status="paused")
    resume_many = of_many("resume", "Resume many jobs")
    trigger_many = of_many("trigger", "Check many jobs now")
    restart_many = of_many("restart", "Watch many ended jobs anew")
    delete_many = of_many("delete", "Delete many jobs", status=None, needs="delete")

    def _run(self, word: str, request: Request) -> Response:
        """Each job has its own result, and one that fails stops no other."""
        asked = ManySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ids = bulk.chosen(ids=asked.validated_data.get("ids"), narrowed_by=asked.validated_data.get("filter"))
        results = list(bulk.run(word, ids))
        succeeded = sum(result.ok for result in results)
        counts = {"total": len(results), "succeeded": succeeded, "failed": len(results) - succeeded}
        return Response(BulkSerializer({"action": word, "results": results, **counts}).data)


@extend_schema(tags=["Custom checks"])
class DocumentViewSet(ViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")

    @extend_schema(
        parameters=[*CHOICE], responses={(200, YAML): answer(DocumentSerializer, DocumentSerializer.example)}
    )
    @action(detail=False, content_negotiation_class=ErrorsInJSON)
    def export(self, request: Request) -> HttpResponse:
        """Export jobs.

        As YAML, without state, scripts or values of secrets.
        """
        document = export.exported(chosen(self.get_queryset(), request)[:MOST_EXPORTED], user=asker(request))
        headers = {"Content-Disposition": 'attachment; filename="jobs.yaml"'}
        return HttpResponse(safe_yaml.written(document), content_type=YAML, headers=headers)

    @extend_schema(
        request={JSON: DocumentSerializer, YAML: body(str, EXPORTED)}, responses=ImportSerializer, parameters=[DRY_RUN]
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        url_name="import",
        needs="change",
        parser_classes=[YamlParser, StrictJSONParser],
    )
    def load(self, request: Request) -> Response:
        """Import jobs.

        All jobs of the document are made or replaced by their names, or none.
        """
        asking_to_add(request)
        dry_run = _truth(request, "dry_run")
        done = export.imported(request.data, user=asker(request), dry_run=dry_run)
        shown = {"dry_run": dry_run, "results": [put_shape(put, dry_run) for put in done]}
        return Response(ImportSerializer(shown).data)


def _truth(request: Request, name: str) -> bool:
    word = request.query_params.get(name, "false")
    if word not in ("true", "false"):
        raise serializers.ValidationError({name: ["true or false is wanted."]})
    return word == "true"
