"""One shape of error for the whole API, health and metrics."""

import os
import re
import sys
from typing import Any

import structlog
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    BadRequest,
    DisallowedHost,
    ObjectDoesNotExist,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.template.loader import render_to_string
from django.views import defaults
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework import exceptions, permissions, status
from rest_framework.authentication import get_authorization_header
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import APIView, exception_handler, set_rollback

from customchecks.jobs.etags import ChangedMeanwhile
from polling.jobs.metrics import DatabaseCollector
from teckochecker.access.authentication import Forbidden, wrong_scheme
from teckochecker.access.throttles import PerLogin, Strangers
from teckochecker.kit import database_errors, strict_json
from teckochecker.kit.api.openapi import answer

logger = structlog.get_logger(__name__)

FAILED = "TeckoChecker failed; its log has the details."
NON_FIELD = "non_field_errors"
LONGEST_NAME = 200


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED


class TooSlow(exceptions.APIException):
    status_code = status.HTTP_408_REQUEST_TIMEOUT
    default_detail = "The body did not arrive in time."


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """``{"detail": sentence}``; what is wrong with the input also has ``errors``: field to messages."""
    if trouble := database_errors.trouble(error):
        set_rollback()
        logger.error("request_failed", path=context["request"].path, exc_info=error)
        headers = {"Retry-After": str(trouble.seconds)}
        return Response({"detail": trouble.sentence}, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=headers)
    response = exception_handler(_counted(_understood(error, context), context["request"]), context)
    if response is None:
        logger.error("request_failed", path=context["request"].path, exc_info=error)
        return Response({"detail": FAILED}, status=status.HTTP_500_INTERNAL_SERVER_ERROR)
    if response.status_code in (status.HTTP_400_BAD_REQUEST, status.HTTP_422_UNPROCESSABLE_ENTITY):
        response.data = _explained(response.data)
    return response


def _understood(error: Exception, context: dict[str, Any]) -> Exception:
    """The DRF exception for what Django and our own layers raise."""
    if isinstance(error, Http404):
        return exceptions.NotFound(_missing(context))
    if isinstance(error, ValidationError):
        return exceptions.ValidationError(as_serializer_error(error))
    if isinstance(error, ChangedMeanwhile):
        return PreconditionFailed(str(error))
    if isinstance(error, ObjectDoesNotExist):
        return exceptions.NotFound("It is not there any more.")
    if isinstance(error, RequestDataTooBig):
        return TooLarge(str(error))
    if isinstance(error, UnreadablePostError) and isinstance(error.__cause__, TimeoutError):
        return TooSlow()
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        return exceptions.ParseError("The request could not be read.")
    return error


def _missing(context: dict[str, Any]) -> str:
    """What the path names is not there: Django's own words name a class of ours, and no remedy."""
    model, number = getattr(getattr(context["view"], "queryset", None), "model", None), context["kwargs"].get("pk")
    if model is None or number is None:
        return "There is no such thing."
    collection = context["request"].path.partition(f"/{number}")[0]
    thing = "job" if "/custom-checks" in collection else model._meta.verbose_name
    return f"There is no {thing} {number}. GET {collection} lists those that there are."


def _counted(error: Exception, request: Request) -> Exception:
    """What is refused before DRF looks at limits counts too. Wrong passwords were counted where they were tried."""
    if isinstance(error, Forbidden):
        request.user, request.auth = error.login
    if isinstance(error, exceptions.PermissionDenied):
        known = request.user is not None and request.user.is_authenticated
        wait = (PerLogin() if known else Strangers()).seconds_to_wait(request)
        return exceptions.Throttled(wait) if wait else error
    refused = isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated)
    if not refused or get_authorization_header(request)[:6].lower() == b"basic ":
        return error
    if wait := Strangers().seconds_to_wait(request):
        return exceptions.Throttled(wait, "Too many calls without a valid login.")
    if isinstance(error, exceptions.NotAuthenticated) and (problem := wrong_scheme(request)):
        error.detail = exceptions.ErrorDetail(problem, error.default_code)
    return error


def _explained(data: Any) -> dict[str, Any]:
    """``detail`` sums up the first error. Names come from the request: what no JSON can hold is replaced."""
    if isinstance(data, dict) and set(data) == {"detail"} and isinstance(data["detail"], str):
        return data
    found = data if isinstance(data, dict) else {NON_FIELD: data}
    errors = {strict_json.storable(_name(key)): _messages(value) for key, value in found.items()}
    name, messages = next(iter(errors.items()))
    return {"detail": messages[0] if name == NON_FIELD else f"{name}: {messages[0]}", "errors": errors}


def _name(key: object) -> str:
    return NON_FIELD if key == NON_FIELD_ERRORS else str(key)[:LONGEST_NAME]


def _messages(found: Any) -> list[str]:
    return [strict_json.storable(str(message)) for message in (found if isinstance(found, list) else [found])]


class Metrics(APIView):
    """Counters of all processes, and gauges read from the database now."""

    permission_classes = [permissions.IsAuthenticated]

    @extend_schema(
        tags=["System"],
        responses={(200, "text/plain; version=0.0.4"): answer(str, 'jobs{kind="custom",status="active"} 5.0\n')},
    )
    def get(self, request: Request) -> HttpResponse:
        """Metrics for Prometheus."""
        gauges = CollectorRegistry()
        gauges.register(DatabaseCollector())
        text = generate_latest(_counters()) + generate_latest(gauges)
        return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _counters() -> CollectorRegistry:
    """Of all processes that share a folder, or else of this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    detail = _foreign_host(request) if isinstance(exception, DisallowedHost) else "The request could not be read."
    page = render_to_string("400.html", {"detail": detail})
    return _json(request, detail, status=400) or HttpResponse(page, status=status.HTTP_400_BAD_REQUEST)


def _foreign_host(request: HttpRequest) -> str:
    named = request.META.get("HTTP_HOST", "")
    host = named.rpartition(":")[0] if re.search(r":[0-9]{1,5}\Z", named) else named
    shown = f"{strict_json.storable(host)!r:.100}"
    return f"This server is not called {shown}. If it should be, add the name to TECKO_ALLOWED_HOSTS and restart it."


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _json(request, "This is not allowed.", status=403) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _json(request, "There is no such path.", status=404) or defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    """Called while the error is being handled."""
    if trouble := database_errors.trouble(sys.exc_info()[1]):
        answer = _json(request, trouble.sentence, status=503) or _page(trouble)
        answer.headers["Retry-After"] = str(trouble.seconds)
        return answer
    return _json(request, FAILED, status=500) or defaults.server_error(request)


def _page(trouble: database_errors.Trouble) -> HttpResponse:
    """Without the request: what a page is usually given is read from the database."""
    shown = {"sentence": trouble.sentence, "seconds": trouble.seconds}
    return HttpResponse(render_to_string("503.html", shown), status=status.HTTP_503_SERVICE_UNAVAILABLE)


def _json(request: HttpRequest, detail: str, *, status: int) -> HttpResponse | None:
    """None for pages, whose errors are pages."""
    if request.path_info.lstrip("/").partition("/")[0] not in ("api", "metrics"):
        return None
    return JsonResponse({"detail": detail}, status=status)
