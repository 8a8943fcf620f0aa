"""The API in a browser: each call as a page, with forms that hold the example or what is there now."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from django.template.loader import render_to_string
from django.utils.html import escape
from rest_framework import exceptions, metadata, negotiation, renderers
from rest_framework.request import Request, override_method

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports what the settings name, and so this module

JSON, FORM = "application/json", "multipart/form-data"

# Bootstrap and the libraries of Swagger UI and ReDoc set styles in elements, draw images from data; one uses a worker
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Negotiation(negotiation.DefaultContentNegotiation):
    """A page for a browser that asks for one; JSON for everybody else, whatever they ask for."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        offered = [renderer for renderer in renderers if renderer.media_type != "text/html" or _is_browser(request)]
        try:
            return super().select_renderer(request, offered, format_suffix)
        except exceptions.NotAcceptable:
            return offered[0], offered[0].media_type


def _is_browser(request: Request) -> bool:
    """No browser sends a token."""
    token = request.headers.get("Authorization", "").lower().startswith(("token", "bearer"))
    return "text/html" in request.headers.get("Accept", "") and not token


class Options(metadata.BaseMetadata):
    """What each method of a path does. DRF's own would look at serializers, which not every call has."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        methods = {method: _call(view, method).get("summary") for method in view.allowed_methods}
        return {"methods": {method: summary for method, summary in methods.items() if summary}}


class Pages(renderers.BrowsableAPIRenderer):
    renderer_context: dict[str, Any]

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        page = super().render(data, accepted_media_type, renderer_context)
        renderer_context["response"]["Content-Security-Policy"] = POLICY
        return page

    def get_name(self, view: Any) -> str:
        return str(_call(view, view.request.method).get("summary") or view.get_view_name())

    def get_description(self, view: Any, status_code: int) -> str:
        return escape(_call(view, view.request.method).get("description", ""))

    def get_filter_form(self, data: Any, view: "APIView", request: Request) -> None:
        """A form would send every word, and an empty one is refused."""
        return

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """DRF's, with the example of the call, what is there now, or what was refused."""
        form = super().get_raw_data_form(data, view, method, request)
        if form and (body := _body(view, method, JSON)):
            shown = self._sent(body, method, request) or _present(body, data, method) or _example(body)
            form.initial = {"_content_type": JSON, "_content": json.dumps(shown, indent=4, default=str)}
        return form

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """Where a call takes a form; for DELETE, whether there is a button."""
        with override_method(view, request, method) as overridden:
            if method == "OPTIONS" or not self.show_form_for_method(view, method, overridden, None):
                return None
        if method == "DELETE":
            return True
        body = _body(view, method, FORM)
        if body is None:
            return None
        values = self._sent(body, method, request) or _example(body)
        return render_to_string("reference/form.html", {"inputs": list(_inputs(body, values)), "method": method})

    def _sent(self, body: dict[str, Any], method: str, request: Request) -> dict[str, Any]:
        """So that it can be corrected. Values of secrets are not sent back, not even to whoever sent them."""
        if self.renderer_context["response"].status_code < 400 or request.method != method:
            return {}
        try:
            data = request.data if isinstance(request.data, dict) else {}
        except exceptions.APIException:
            return {}
        shapes = body["schema"]["properties"]
        return {name: value for name, value in data.items() if not shapes.get(name, {}).get("writeOnly")}


def _call(view: Any, method: str) -> dict[str, Any]:
    """From ``teckochecker.api.openapi.Schema``, which the document and its own pages do without."""
    return cast(dict[str, Any], view.schema.call(view.request, method)) if view.schema else {}


def _body(view: Any, method: str, media_type: str) -> dict[str, Any] | None:
    """What the document says of it."""
    body = _call(view, method).get("requestBody", {}).get("content", {}).get(media_type)
    return body and {**body, "schema": view.schema.resolved(body["schema"])}


def _example(body: Mapping[str, Any]) -> dict[str, Any]:
    return next((example["value"] for example in body.get("examples", {}).values()), {})


def _present(body: Mapping[str, Any], data: Any, method: str) -> dict[str, Any]:
    """What a change would start from."""
    if method not in ("PUT", "PATCH") or not isinstance(data, dict):
        return {}
    return {name: data[name] for name in body["schema"]["properties"] if name in data}


def _inputs(body: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, shape in body["schema"]["properties"].items():
        is_file, about = shape.get("format") == "binary", shape.get("description")
        yield {"name": name, "file": is_file, "about": about, "value": values.get(name, "")}
