"""The admin's page that asks before something is started again."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse

CONFIRMED = "confirmed"


def question(
    request: HttpRequest, site: "ModelAdmin[Any]", *, title: str, lines: Sequence[str]
) -> TemplateResponse | None:
    """None where nothing is to be asked. Whoever says yes posts the same action once more."""
    if not lines or CONFIRMED in request.POST:
        return None
    posted = [(name, value) for name, values in request.POST.lists() for value in values]
    shown = [(name, value) for name, value in posted if name != "csrfmiddlewaretoken"]
    context = {**site.admin_site.each_context(request), "opts": site.opts, "title": title, "lines": lines}
    return TemplateResponse(request, "polling/confirm.html", {**context, "posted": [*shown, (CONFIRMED, "yes")]})
