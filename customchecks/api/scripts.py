"""``/api/custom-checks/{id}/script/…``: where a job's script comes from, and which version of it runs."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from customchecks.api.requests import body, match
from customchecks.jobs import service, versions
from customchecks.jobs.models import CustomCheckJob, ScriptVersion, SourceType
from teckochecker.kit.json_parser import StrictJSONParser
from teckochecker.kit.pagination import page
from teckochecker.kit.rest import asker

GIT_FIELDS = {"git_url": "script_git_url", "branch": "script_git_branch"}


class VersionSerializer(serializers.ModelSerializer[ScriptVersion]):
    version = serializers.IntegerField(source="number")
    sha256 = serializers.CharField(source="archive_id")
    size = serializers.IntegerField(source="archive.size")
    files = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", read_only=True, default=None, allow_null=True)
    pinned = serializers.SerializerMethodField()

    class Meta:
        model = ScriptVersion
        fields: Any = (
            "version",
            "source",
            "origin",
            "commit",
            "sha256",
            "size",
            "files",
            "notes",
            "created_at",
            "created_by",
            "pinned",
        )
        read_only_fields = fields

    def get_files(self, version: ScriptVersion) -> list[dict[str, Any]]:
        return [{"path": path, "size": size} for path, size in version.archive.files]

    def get_pinned(self, version: ScriptVersion) -> bool:
        return version.number == version.job.script_version_pin


class ScriptViewSet(GenericViewSet[CustomCheckJob]):
    queryset: Any = CustomCheckJob.objects.all()
    parser_classes = [StrictJSONParser]
    needs: str | None = None

    def info(self, request: Request, pk: str) -> Response:
        """``metadata`` is the version that runs now, or null where there is none yet."""
        job = self.get_object()
        version = versions.pinned(job) or versions.newest(job)
        return Response(
            {
                "job_id": job.pk,
                "source_type": job.script_source_type,
                "git_url": job.script_git_url,
                "git_branch": job.script_git_branch,
                "file_path": job.script_file_path,
                "metadata": VersionSerializer(version).data if version else None,
            }
        )

    def versions(self, request: Request, pk: str) -> Response:
        """The newest first."""
        rows = self.get_object().versions.select_related("job", "created_by", "archive").defer("archive__content")
        return Response(page(rows.order_by("-number"), request, key="versions", serializer=VersionSerializer))

    def git(self, request: Request, pk: str) -> Response:
        job = self.get_object()
        if job.script_source_type != SourceType.GIT:
            raise ValidationError({"git_url": "The job's script is uploaded: set script_source_type to git first."})
        data = {"branch": "main", **body(request, known=GIT_FIELDS, required="git_url")}
        try:
            wanted = {GIT_FIELDS[name]: data[name] for name in data}
            service.update_job(job, wanted, user=asker(request), match=match(request))
        except ValidationError as error:
            by_column = {column: name for name, column in GIT_FIELDS.items()}
            errors = error.message_dict
            raise ValidationError({by_column.get(field, field): errors[field] for field in errors}) from None
        return Response(
            {"message": "Git source configured", "url": job.script_git_url, "branch": job.script_git_branch}
        )

    def rollback(self, request: Request, pk: str) -> Response:
        """Pins the job to an older version."""
        body(request, known=("version",), required="version")
        return self.pin(request, pk)

    def pin(self, request: Request, pk: str) -> Response:
        """To ``version``, or without one to what runs now."""
        number = body(request, known=("version",)).get("version")
        if number is not None and (type(number) is not int or not 0 < number < 2**31):
            raise ValidationError({"version": "The number of a version is wanted."})
        job = self.get_object()
        version = service.pin_version(job, number, user=asker(request), match=match(request))
        return Response({"message": f"Pinned to version {version.number}", "job_id": job.pk, "version": version.number})

    def unpin(self, request: Request, pk: str) -> Response:
        body(request, known=())
        job = self.get_object()
        service.unpin_version(job, user=asker(request), match=match(request))
        return Response({"message": "Unpinned", "job_id": job.pk})
