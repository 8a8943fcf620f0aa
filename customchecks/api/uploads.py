"""Scripts that come in as multipart uploads: bounded while they are read, checked before anything is stored."""

from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from rest_framework import exceptions, serializers, status

from customchecks import archives
from customchecks.archives import Archive, ArchiveRejected, TooLarge

MAX_BYTES = 10 * 1024 * 1024


class UploadTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "A script archive has at most 10 MB. Leave out what it does not need to run."
    default_code = "too_large"


class CappedUploadHandler(MemoryFileUploadHandler):
    """Keeps an upload in memory and stops reading at the first byte beyond the limit."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        self._received = 0
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self._received += len(raw_data)
        if self._received > MAX_BYTES:
            raise UploadTooLarge
        return super().receive_data_chunk(raw_data, start)


def archive(upload: object, *, field: str) -> Archive:
    """Raises a ValidationError that names the field, or UploadTooLarge."""
    if not isinstance(upload, UploadedFile) or upload.file is None:
        raise serializers.ValidationError({field: ["A .tgz file is wanted, as a multipart upload."]})
    try:
        return archives.normalise(cast(BinaryIO, upload.file), size_hint=upload.size)
    except TooLarge:
        raise UploadTooLarge from None
    except ArchiveRejected as error:
        raise serializers.ValidationError({field: [str(error)]}, code=error.code) from None
