"""What requests about jobs have in common: for what, for which jobs, and for which definition of one."""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.api.serializers import JobSerializer
from customchecks.jobs import etags, selection
from customchecks.jobs.by_name import NameTaken
from customchecks.jobs.models import CustomCheckJob
from polling.jobs import duplicate_names
from polling.jobs.scheduling import TransitionRefused
from teckochecker.kit.rest import Refused, asker
from teckochecker.kit.spelling import no_such_field


def match(request: Request) -> str | None:
    return request.headers.get("If-Match")


def body(request: Request, *, known: Collection[str], required: str = "") -> dict[str, Any]:
    """It may be empty where nothing is required."""
    data = cast(dict[str, Any], request.data)
    unknown: dict[str, Any] = {name: no_such_field(name, known) for name in data if name not in known}
    missing = {required: "This field is required."} if required and data.get(required) is None else {}
    if unknown or missing:
        raise ValidationError(unknown | missing)
    return data


def asking_to_add(request: Request) -> None:
    """For a call that changes jobs and may make some."""
    if not asker(request).has_perm("customchecks.add_customcheckjob"):
        raise exceptions.PermissionDenied


@contextlib.contextmanager
def conflicting() -> Iterator[None]:
    try:
        yield
    except (NameTaken, TransitionRefused) as error:
        raise Refused(str(error)) from None


def chosen(rows: QuerySet[CustomCheckJob], request: Request) -> QuerySet[CustomCheckJob]:
    query = request.query_params
    words: dict[str, Any] = {name: query.get(name) for name in ("status", "runtime", "search")}
    return selection.jobs(rows, tags=query.getlist("tag"), **words)


def shown(job: CustomCheckJob, code: int = status.HTTP_200_OK, *, changed: bool = True) -> Response:
    warned = duplicate_names.headers(job) if changed else {}
    return Response(JobSerializer(job).data, status=code, headers={"ETag": etags.of(job), **warned})
