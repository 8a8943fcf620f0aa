"""``/api/custom-checks/{id}/script/…``: where a job's script comes from, and which version of it runs."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.api import uploads
from customchecks.api.documented import FORM, IF_MATCH, JSON
from customchecks.api.inputs import (
    NOTHING,
    GitSourceSerializer,
    NothingSerializer,
    PinSerializer,
    RollbackSerializer,
    UploadSerializer,
)
from customchecks.api.requests import match
from customchecks.api.serializers import (
    MovedSerializer,
    PinnedSerializer,
    RepositorySerializer,
    ScriptInfoSerializer,
    UploadedSerializer,
    VersionSerializer,
)
from customchecks.jobs import etags, service, versions
from customchecks.jobs.models import CustomCheckJob, SourceType
from teckochecker.kit.api.json_parser import StrictJSONParser
from teckochecker.kit.api.openapi import answer, body, refused
from teckochecker.kit.api.pagination import pages
from teckochecker.kit.api.rest import StrictSerializer, asker
from teckochecker.kit.api.views import ViewSet, change

GIT_FIELDS = {"git_url": "script_git_url", "branch": "script_git_branch"}


def changes(url_path: str, request: Any, shape: Any, **options: Any) -> Callable[[Any], Any]:
    """A call that changes a job, if it is still as it was read."""
    return change(url_path, request=request, responses={200: shape, **refused(412)}, parameters=[IF_MATCH], **options)


@extend_schema(tags=["Scripts"])
class ScriptViewSet(ViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.all()
    parser_classes = [StrictJSONParser]

    @changes("script/upload", {FORM: UploadSerializer}, UploadedSerializer, parser_classes=[MultiPartParser])
    def upload(self, request: Request, pk: str) -> Response:
        """Upload a script.

        A .tgz of at most 10 MB. A job that waited for its script is due.
        """
        job = self.get_object()
        archive = uploads.script(request, part="file")
        # Here the part with the script has another name than in a creating form
        with renamed({"script": "file"}):
            service.store_script(job, archive, user=asker(request), match=match(request))
        shown = {"message": "Script uploaded successfully", "path": job.script_file_path, "sha256": archive.sha256}
        return Response(UploadedSerializer(shown).data, headers={"ETag": etags.of(job)})

    @extend_schema(responses=ScriptInfoSerializer)
    @action(detail=True, url_path="script/info")
    def info(self, request: Request, pk: str) -> Response:
        """Show where a job's script comes from.

        `metadata` is the version that runs now, or null where there is none yet.
        """
        job = self.get_object()
        shown = {
            "job_id": job.pk,
            "source_type": job.script_source_type,
            "git_url": job.script_git_url,
            "git_branch": job.script_git_branch,
            "file_path": job.script_file_path,
            "metadata": versions.pinned(job) or versions.newest(job),
        }
        return Response(ScriptInfoSerializer(shown).data)

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, url_path="script/versions", pagination_class=pages("versions"))
    def versions(self, request: Request, pk: str) -> Response:
        """List the versions of a script.

        The newest first.
        """
        rows: Any = self.get_object().versions.select_related("job", "created_by", "archive").defer("archive__content")
        page: Any = self.paginate_queryset(rows.order_by("-number"))
        return self.get_paginated_response(VersionSerializer(page, many=True).data)

    @changes("script/git", GitSourceSerializer, RepositorySerializer)
    def git(self, request: Request, pk: str) -> Response:
        """Set the repository of a job."""
        job = self.get_object()
        if job.script_source_type != SourceType.GIT:
            raise ValidationError({"git_url": "The job's script is uploaded: set script_source_type to git first."})
        data = _valid(GitSourceSerializer, request)
        with renamed({column: name for name, column in GIT_FIELDS.items()}):
            wanted = {GIT_FIELDS[name]: data[name] for name in data}
            service.update_job(job, wanted, user=asker(request), match=match(request))
        shown = {"message": "Git source configured", "url": job.script_git_url, "branch": job.script_git_branch}
        return Response(RepositorySerializer(shown).data)

    @changes("script/rollback", RollbackSerializer, PinnedSerializer)
    def rollback(self, request: Request, pk: str) -> Response:
        """Run an older version.

        Until the job is unpinned.
        """
        return self._pinned(request, _valid(RollbackSerializer, request)["version"])

    @changes("script/pin", PinSerializer, PinnedSerializer)
    def pin(self, request: Request, pk: str) -> Response:
        """Stay with a version.

        With the one that runs now, if none is named.
        """
        return self._pinned(request, _valid(PinSerializer, request).get("version"))

    @changes("script/unpin", {JSON: body(NOTHING, {})}, answer(MovedSerializer, {"message": "Unpinned", "job_id": 7}))
    def unpin(self, request: Request, pk: str) -> Response:
        """Follow the newest version again."""
        _valid(NothingSerializer, request)
        job = self.get_object()
        service.unpin_version(job, user=asker(request), match=match(request))
        return Response(MovedSerializer({"message": "Unpinned", "job_id": job.pk}).data)

    def _pinned(self, request: Request, number: Any) -> Response:
        if number is not None and (type(number) is not int or not 0 < number < 2**31):
            raise ValidationError({"version": "The number of a version is wanted."})
        job = self.get_object()
        version = service.pin_version(job, number, user=asker(request), match=match(request))
        shown = {"message": f"Pinned to version {version.number}", "job_id": job.pk, "version": version.number}
        return Response(PinnedSerializer(shown).data)


@contextlib.contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """What is wrong with a column is told by the name that the call has for it."""
    try:
        yield
    except ValidationError as error:
        errors = error.message_dict
        raise ValidationError({names.get(field, field): errors[field] for field in errors}) from None


def _valid(serializer: type[StrictSerializer], request: Request) -> dict[str, Any]:
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
