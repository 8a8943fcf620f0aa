"""What comes in as multipart: a job's ``config`` and its script, bounded while read and checked before it is kept.

Django reads a form through ``CappedUploadHandler`` wherever it does so: in a parser of the API, in the admin, or when
it looks for a CSRF token.
"""

from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import MultiPartParserError
from rest_framework.request import Request

from customchecks.archives import script_archive, tar_stream
from customchecks.archives.script_archive import Archive, ArchiveRejected, TooLarge
from teckochecker.kit import strict_json
from teckochecker.kit.api import json_parser

CSRF_PART = "csrfmiddlewaretoken"  # of a form in a browser; Django has looked at it by then


class UploadTooLarge(RequestDataTooBig):
    """More than 10 MB in one file."""

    def __init__(self) -> None:
        super().__init__(TooLarge().message)


class CappedUploadHandler(MemoryFileUploadHandler):
    """Keeps an upload in memory and stops reading at the first byte beyond the limit."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        self._received = 0
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self._received += len(raw_data)
        if self._received > tar_stream.MAX_COMPRESSED:
            raise UploadTooLarge
        return super().receive_data_chunk(raw_data, start)

    def upload_interrupted(self) -> None:
        """The body ended within the file, which Django would leave out as if it had not been sent."""
        raise MultiPartParserError("The body ends within a file.")


@dataclass(frozen=True)
class Submission:
    """``config`` is a job's definition, not looked at yet."""

    config: dict[str, Any]
    archive: Archive | None


def submission(request: Request) -> Submission:
    """Of a form with ``config`` and perhaps ``script``, or of JSON. Raises ValidationError, UploadTooLarge."""
    data = request.data
    if not isinstance(data, QueryDict):
        return Submission(cast(dict[str, Any], data), None)
    _check_parts(data, known=("config", "script"))
    sent = data.get("script", "") != ""  # what a browser sends for a file that nobody has chosen
    archive = _archive(data["script"], part="script") if sent else None
    return Submission(_config(data.get("config")), archive)


def script(request: Request, *, part: str) -> Archive:
    """Raises ValidationError, UploadTooLarge."""
    data = request.data if isinstance(request.data, QueryDict) else QueryDict()
    _check_parts(data, known=(part,))
    return _archive(data.get(part), part=part)


def _check_parts(data: QueryDict, *, known: tuple[str, ...]) -> None:
    sent = [name for name in data if name != CSRF_PART]
    unknown = {name: f"There is no such part; there is {' and '.join(known)}." for name in sent if name not in known}
    doubled = {name: "This part is given twice." for name in data if len(data.getlist(name)) > 1}
    if unknown or doubled:
        raise ValidationError(unknown | doubled)


def _config(part: object) -> dict[str, Any]:
    if not isinstance(part, str):
        raise ValidationError({"config": "The job's definition is wanted here, as JSON text and not as a file."})
    try:
        return json_parser.load_object(part)
    except strict_json.NotStrict as error:
        raise ValidationError({"config": f"This is not JSON that can be used: {error}."}) from None


def _archive(upload: object, *, part: str) -> Archive:
    """The file's name means nothing: what it holds decides."""
    if not isinstance(upload, UploadedFile) or upload.file is None:
        raise ValidationError({part: "A .tgz is wanted here, as a file."})
    try:
        return script_archive.normalise(cast(BinaryIO, upload.file), size_hint=upload.size)
    except TooLarge:
        raise UploadTooLarge from None
    except ArchiveRejected as error:
        raise ValidationError({part: error.message}, code=error.code) from None
