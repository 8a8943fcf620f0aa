"""What a call's query may ask for: what the OpenAPI document names, and nothing else."""

import difflib
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from teckochecker.api import openapi

# Whoever watches a server adds what they like to this one, and it must not fail
OPEN = "health"


class KnownParameters:
    """A word that a call does not know would change nothing, and its answer would look like what was asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """None where the view is to be called."""
        route = request.resolver_match
        if not request.GET or not hasattr(view, "cls") or not route or route.url_name == OPEN:
            return None
        call = openapi.described(request, "GET" if request.method == "HEAD" else str(request.method))
        if not call:
            return None
        known = [parameter["name"] for parameter in call.get("parameters", ()) if parameter["in"] == "query"]
        errors = {name[:200]: [_problem(name, known)] for name in request.GET if name not in known}
        if not errors:
            return None
        name, (problem,) = next(iter(errors.items()))
        return JsonResponse(
            {"detail": f"{name}: {problem}", "errors": errors}, status=getattr(view.cls, "invalid", 400)
        )


def _problem(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name[:50].lower(), known, n=1)
    if nearest:
        return f"There is no such parameter. Is {nearest[0]} meant?"
    return f"There is no such parameter; there is {', '.join(known)}." if known else "This call takes no parameters."
