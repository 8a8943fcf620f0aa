"""Bounds every request's body at 11 MB: by its announced length, before any of it is read, or while it is read."""

import io
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

MAX_BODY = 11 * 1024 * 1024  # a script of 10 MB and the form around it


class BodyRefused(Exception):
    def __init__(self, detail: str, *, code: int) -> None:
        super().__init__(detail)
        self.code = code


class BodyLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            _bound(request)
        except BodyRefused as refusal:
            return JsonResponse({"detail": str(refusal)}, status=refusal.code)
        return self._get_response(request)


def _bound(request: HttpRequest) -> None:
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        _gather_chunks(request)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise BodyRefused("The Content-Length is not a number.", code=400)
    if int(length) > MAX_BODY:
        raise _too_large()


def _gather_chunks(request: HttpRequest) -> None:
    """Django sees no body without a Content-Length, so a chunked one is given the length that it turns out to have."""
    if not request.META.get("wsgi.input_terminated"):
        raise BodyRefused("Send the body with a Content-Length, not in chunks.", code=411)
    try:
        body = request.META["wsgi.input"].read(MAX_BODY + 1)
    except (OSError, ParseException):
        raise BodyRefused("The chunks of the body could not be read.", code=400) from None
    if len(body) > MAX_BODY:
        raise _too_large()
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)


def _too_large() -> BodyRefused:
    return BodyRefused("A request has at most 11 MB, a script archive at most 10 MB.", code=413)
