"""Many jobs at once: bulk actions, and jobs as a document."""

from typing import Any

from django.http import HttpResponse
from rest_framework import exceptions, parsers, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.api.requests import asking_to_add, body, chosen
from customchecks.jobs import bulk, export
from customchecks.jobs.models import CustomCheckJob
from teckochecker.kit import safe_yaml
from teckochecker.kit.json_parser import StrictJSONParser
from teckochecker.kit.rest import ChoiceField, asker

YAML = "application/yaml"
MOST_EXPORTED = 10_000


class ResultSerializer(serializers.Serializer[bulk.Result]):
    job_id = serializers.IntegerField()
    ok = serializers.BooleanField()
    status = serializers.CharField(allow_null=True)
    check_id = serializers.UUIDField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class BulkSerializer(serializers.Serializer[Any]):
    action = ChoiceField(list(bulk.ACTIONS))
    results = ResultSerializer(many=True)
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class PutSerializer(serializers.Serializer[Any]):
    """``changes`` are fields to what they were and are; ``job_id`` is null where nothing was made."""

    name = serializers.CharField()
    job_id = serializers.IntegerField(allow_null=True)
    action = serializers.ChoiceField(["created", "updated", "unchanged"])
    changes = serializers.JSONField()


class ImportSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    results = PutSerializer(many=True)


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


class BulkViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = BulkSerializer
    needs: str | None = None
    action_name = ""

    def run(self, request: Request) -> Response:
        """``ids`` or ``filter`` says which jobs; each has its own result, and one that fails stops no other."""
        asked = body(request, known=("ids", "filter"))
        ids = bulk.chosen(ids=asked.get("ids"), narrowed_by=asked.get("filter"))
        results = list(bulk.run(self.action_name, ids))
        succeeded = sum(result.ok for result in results)
        counts = {"total": len(results), "succeeded": succeeded, "failed": len(results) - succeeded}
        return Response(self.get_serializer({"action": self.action_name, "results": results, **counts}).data)


class ExportViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    content_negotiation_class = ErrorsInJSON

    def export(self, request: Request) -> HttpResponse:
        """The jobs that ``GET /api/custom-checks`` lists by the same words, as YAML."""
        document = export.exported(chosen(self.get_queryset(), request)[:MOST_EXPORTED], user=asker(request))
        headers = {"Content-Disposition": 'attachment; filename="jobs.yaml"'}
        return HttpResponse(safe_yaml.written(document), content_type=YAML, headers=headers)


class ImportViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.order_by("id")
    serializer_class = ImportSerializer
    parser_classes = [YamlParser, StrictJSONParser]
    needs: str | None = None

    def load(self, request: Request) -> Response:
        """Makes or replaces every job of the document by its name, or none; ``?dry_run=true`` only says what."""
        asking_to_add(request)
        dry_run = _truth(request, "dry_run")
        done = export.imported(request.data, user=asker(request), dry_run=dry_run)
        shown = self.get_serializer({"dry_run": dry_run, "results": [put_shape(put, dry_run) for put in done]}).data
        return Response(shown)


def put_shape(put: Any, dry_run: bool) -> dict[str, Any]:
    made_up = dry_run and put.action == "created"
    return {
        "name": put.job.name,
        "job_id": None if made_up else put.job.pk,
        "action": put.action,
        "changes": {field: {"from": before, "to": after} for field, (before, after) in put.changes.items()},
    }


def _truth(request: Request, name: str) -> bool:
    word = request.query_params.get(name, "false")
    if word not in ("true", "false"):
        raise serializers.ValidationError({name: ["true or false is wanted."]})
    return word == "true"
