"""What nobody between server and reader may keep: answers of the API hold what somebody may see, and new tokens."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

KEPT_BY_NOBODY = ("/api/", "/metrics")


class UnstoredAnswers:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.path.startswith(KEPT_BY_NOBODY):
            response.headers.setdefault("Cache-Control", "no-store")
        return response
