"""Bounds every request's body at 11 MB: by its announced length, before any of it is read, or while it is read."""

import io
import threading
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

MAX_BODY = 11 * 1024 * 1024  # a script of 10 MB and the form around it
GATHERED_AT_ONCE = 6  # of the threads of a web server's process; a login is known only afterwards


class BodyRefused(Exception):
    def __init__(self, detail: str, *, code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = headers


class BodyLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._gathering = threading.BoundedSemaphore(GATHERED_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
                self._gather(request)
            _bound(request)
        except BodyRefused as refusal:
            return JsonResponse({"detail": str(refusal)}, status=refusal.code, headers=refusal.headers)
        return self._get_response(request)

    def _gather(self, request: HttpRequest) -> None:
        if not ("HTTP_AUTHORIZATION" in request.META or "HTTP_COOKIE" in request.META):
            headers = {"WWW-Authenticate": 'Basic realm="api"'}
            raise BodyRefused("Authentication credentials were not provided.", code=401, headers=headers)
        if not self._gathering.acquire(blocking=False):
            detail = "Too many bodies are being sent in chunks; try again, or send it with a Content-Length."
            raise BodyRefused(detail, code=503, headers={"Retry-After": "15"})
        try:
            _gather_chunks(request)
        finally:
            self._gathering.release()


def _bound(request: HttpRequest) -> None:
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
    except TimeoutError:
        raise BodyRefused("The body did not arrive in time.", code=408) from None
    except (OSError, ParseException):
        raise BodyRefused("The chunks of the body could not be read.", code=400) from None
    if len(body) > MAX_BODY:
        raise _too_large()
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = io.BytesIO(body)


def _too_large() -> BodyRefused:
    return BodyRefused("A request has at most 11 MB, a script archive at most 10 MB.", code=413)
