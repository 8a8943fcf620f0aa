"""The API in a browser: each call as a page, with forms that hold the example or what is there now."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.template.loader import render_to_string
from django.utils.html import escape
from rest_framework import exceptions, metadata, negotiation, renderers
from rest_framework.request import Request, override_method

from teckochecker.kit.openapi import FORM, JSON, UNDESCRIBED, Body, Operation, Shape

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports what the settings name, and so this module

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
        methods = {method: _call(view, method).summary for method in view.allowed_methods}
        return {"methods": {method: summary for method, summary in methods.items() if summary}}


class RawForm(forms.Form):
    """Sent by the page's script, as JSON."""

    _content_type = forms.ChoiceField(
        label="Media type", choices=[(JSON, JSON)], widget=forms.Select(attrs={"data-override": "content-type"})
    )
    _content = forms.CharField(
        label="Content", required=False, widget=forms.Textarea(attrs={"data-override": "content", "rows": 16})
    )


class Pages(renderers.BrowsableAPIRenderer):
    renderer_context: dict[str, Any]

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> Any:
        page = super().render(data, accepted_media_type, renderer_context)
        renderer_context["response"]["Content-Security-Policy"] = POLICY
        return page

    def get_name(self, view: Any) -> str:
        return _call(view, view.request.method).summary or view.get_view_name()

    def get_description(self, view: Any, status_code: int) -> str:
        return escape(_call(view, view.request.method).about)

    def get_filter_form(self, data: Any, view: "APIView", request: Request) -> None:
        return None

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Request) -> forms.Form | None:
        if not self._may(view, method, request):
            return None
        body = _body(_call(view, method), JSON)
        if body is None:
            return RawForm(initial={"_content_type": JSON})
        refused = self._is_refused(method, request)
        shown = (_sent(body, request) if refused else _present(body, data, method)) or body.example
        return RawForm(initial={"_content_type": JSON, "_content": json.dumps(shown, indent=4, default=str)})

    def get_rendered_html_form(self, data: Any, view: Any, method: str, request: Request) -> Any:
        """Where a call takes a form; for DELETE, whether there is a button."""
        if method == "OPTIONS" or not self._may(view, method, request):
            return None
        if method == "DELETE":
            return True
        body = _body(_call(view, method), FORM)
        if body is None:
            return None
        values = (_sent(body, request) if self._is_refused(method, request) else {}) or body.example
        return render_to_string("reference/form.html", {"inputs": list(_inputs(body, values)), "method": method})

    def _is_refused(self, method: str, request: Request) -> bool:
        return bool(self.renderer_context["response"].status_code >= 400 and request.method == method)

    def _may(self, view: Any, method: str, request: Request) -> bool:
        with override_method(view, request, method) as overridden:
            return bool(self.show_form_for_method(view, method, overridden, None))


def _call(view: Any, method: str) -> Operation:
    """From ``teckochecker.api.openapi.Schema``, which the document and its own pages do without."""
    return cast(Operation, view.schema.call(view.request, method)) if view.schema else UNDESCRIBED


def _body(call: Operation, media_type: str) -> Body | None:
    return next((body for body in call.bodies if body.media_type == media_type), None)


def _sent(body: Body, request: Request) -> dict[str, Any]:
    """So that it can be corrected. Values of secrets are not sent back, not even to whoever sent them."""
    try:
        data = request.data if isinstance(request.data, dict) else {}
    except exceptions.APIException:
        return {}
    hidden = {name for name, field in _fields(body.shape).items() if field.write_only}
    return {name: value for name, value in data.items() if name not in hidden}


def _present(body: Body, data: Any, method: str) -> dict[str, Any]:
    """What a change would start from."""
    if method not in ("PUT", "PATCH") or not isinstance(data, dict):
        return {}
    return {name: data[name] for name in _writable(body.shape) if name in data}


def _writable(shape: Shape) -> list[str]:
    if isinstance(shape, Mapping):
        return list(shape["properties"])
    return [name for name, field in _fields(shape).items() if not field.read_only]


def _fields(shape: Shape) -> Mapping[str, Any]:
    if isinstance(shape, Mapping):
        return {}
    return (shape() if isinstance(shape, type) else shape).fields


def _inputs(body: Body, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Forms are described as JSON schema."""
    shapes = body.shape["properties"] if isinstance(body.shape, Mapping) else {}
    for name, shape in shapes.items():
        is_file, about = shape.get("format") == "binary", shape.get("description")
        yield {"name": name, "file": is_file, "about": about, "value": values.get(name, "")}
