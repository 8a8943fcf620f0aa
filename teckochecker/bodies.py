"""Turns requests away whose body is too large, before any of it is read."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

MAX_BODY = 11 * 1024 * 1024  # a script of 10 MB and the form around it


class BodyLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal():
            return _refused("The Content-Length is no number.", status=400)
        if int(length) > MAX_BODY:
            return _refused("A request has at most 11 MB, a script archive at most 10 MB.", status=413)
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            return _refused("Send the body with a Content-Length, not in chunks.", status=411)
        return self._get_response(request)


def _refused(detail: str, *, status: int) -> HttpResponse:
    response = JsonResponse({"detail": detail}, status=status)
    response["Connection"] = "close"
    return response
