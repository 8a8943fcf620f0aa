"""What the query of one of the admin's lists may ask for.

Django takes any lookup of a column from it. A pattern is a program of the visitor's: SQLite runs it in our process,
where a few characters keep everybody else waiting for ever.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

PATTERNS = frozenset({"regex", "iregex"})
LONGEST_SEARCH = 255  # each word of it is looked for in every column


class BoundedLists:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """None where the view is to be called."""
        if not hasattr(view, "model_admin"):
            return None
        if any(PATTERNS.intersection(name.split(LOOKUP_SEP)) for name in request.GET):
            return _refused("A list is not filtered by patterns.")
        if _longest(request.GET.getlist(SEARCH_VAR)) > LONGEST_SEARCH:
            return _refused(f"A search has at most {LONGEST_SEARCH} characters.")
        return None


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _refused(detail: str) -> HttpResponse:
    return HttpResponse(render_to_string("400.html", {"detail": detail}), status=400)
