"""One shape of error for the whole API, health, metrics and tokens."""

from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.views import defaults
from knox.models import AuthToken
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework import exceptions, permissions, status
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.decorators import api_view, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import APIView, exception_handler

from polling.metrics import DatabaseCollector

logger = structlog.get_logger(__name__)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """``{"detail": sentence}``; what is wrong with the input also has ``errors``: field to messages."""
    if isinstance(error, ValidationError):
        error = exceptions.ValidationError(as_serializer_error(error))
    response = exception_handler(error, context)
    if response is None:
        logger.exception("request_failed", path=context["request"].path)
        return Response({"detail": "TeckoChecker failed; its log has the details."}, status=500)
    if isinstance(error, exceptions.ValidationError):
        errors = response.data if isinstance(response.data, dict) else {"non_field_errors": response.data}
        response.data = {"detail": _sentence(errors), "errors": errors}
    return response


def _sentence(errors: dict[str, Any]) -> str:
    name, found = next(iter(errors.items()))
    while isinstance(found, dict | list) and found:
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    return str(found) if name == "non_field_errors" else f"{name}: {found}"


@api_view(["GET"])
@permission_classes([permissions.AllowAny])
def health(request: Request) -> Response:
    database = "ok"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        database = "unavailable"
    healthy = database == "ok"
    body = {
        "status": "healthy" if healthy else "unhealthy",
        "timestamp": timezone.now(),
        "database": database,
        "version": settings.VERSION,
    }
    return Response(body, status=status.HTTP_200_OK if healthy else status.HTTP_503_SERVICE_UNAVAILABLE)


class Metrics(APIView):
    """Counters of all processes, and gauges read from the database now."""

    permission_classes = [permissions.IsAuthenticated]

    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        registry.register(DatabaseCollector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Tokens(APIView):
    """``POST`` with a login makes a token and shows it once; ``DELETE`` with a token revokes that token."""

    permission_classes = [permissions.IsAuthenticated]

    def get_authenticators(self) -> list[BaseAuthentication]:
        own: list[BaseAuthentication] = [SessionAuthentication(), BasicAuthentication()]
        return own if self.request.method == "POST" else super().get_authenticators()

    def post(self, request: Request) -> Response:
        instance, token = AuthToken.objects.create(request.user)
        return Response({"token": token, "expiry": instance.expiry}, status=status.HTTP_201_CREATED)

    def delete(self, request: Request) -> Response:
        if isinstance(request.auth, AuthToken):
            request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "There is no such path."}, status=404)
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "TeckoChecker failed; its log has the details."}, status=500)
    return defaults.server_error(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "The request could not be read."}, status=400)
    return defaults.bad_request(request, exception)
