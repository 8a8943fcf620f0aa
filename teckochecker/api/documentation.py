"""``/api/schema``, and the two pages that show it: everything they load comes from this server."""

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.renderers import OpenApiYamlRenderer2
from rest_framework import permissions, renderers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from teckochecker.api import openapi
from teckochecker.api.browsable import POLICY


class Reference(APIView):
    """For everybody who has logged in: it says what there is, not what is in it."""

    permission_classes = [permissions.IsAuthenticated]
    schema = None


class SchemaView(Reference):
    renderer_classes = [renderers.JSONRenderer, OpenApiYamlRenderer2]

    def get(self, request: Request) -> Response:
        return Response(openapi.document())


class Page(Reference):
    template = ""

    def get(self, request: Request) -> HttpResponse:
        page = render_to_string(self.template, request=request._request)
        return HttpResponse(page, headers={"Content-Security-Policy": POLICY})
