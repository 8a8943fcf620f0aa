"""What requests about jobs have in common: for what, for which jobs, and for which definition of one."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response

from customchecks.jobs import etags, selection
from customchecks.jobs.by_name import NameTaken
from customchecks.jobs.models import CustomCheckJob
from customchecks.jobs.serializers import JobSerializer
from polling.jobs import duplicate_names
from polling.jobs.scheduling import TransitionRefused
from teckochecker.kit.api.rest import Refused, asker


def match(request: Request) -> str | None:
    return request.headers.get("If-Match")


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
