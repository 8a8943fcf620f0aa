"""Which jobs and which of their logs somebody means: the same words for the API, the command line and bulk actions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from customchecks.images import runtimes
from customchecks.jobs import fields
from customchecks.jobs.declared import MAX_TAGS
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.base.results import Cause, Verdict
from polling.jobs.scheduling import JobStatus
from teckochecker.kit import strict_json, times

ORDERINGS = ("id", "name", "status", "created_at", "last_check_at", "next_check_at", "completed_at")
LONGEST_SEARCH = 255
LARGEST_ID = 2**63 - 1


def jobs(
    rows: Any,
    *,
    status: str | None = None,
    runtime: str | None = None,
    tags: Sequence[str] = (),
    search: str | None = None,
) -> QuerySet[CustomCheckJob]:
    """``search`` is in the name, a tag, the repository or the webhook, or is the number; all of ``tags`` are wanted."""
    if status is not None:
        rows = rows.filter(status=_one_of(JobStatus.values, status, field="status"))
    if runtime is not None:
        same = runtimes.words_of(_one_of(runtimes.WORDS, runtime, field="runtime"))
        rows = rows.filter(script_runtime__in=same)
    if len(tags) > MAX_TAGS:
        raise ValidationError({"tag": f"No job has more than {MAX_TAGS} tags."})
    if tags or search:
        rows = rows.alias(tag_text=Cast("tags", TextField()))
    for tag in tags:
        rows = rows.filter(tag_text__contains=f'"{_tag(tag)}"')
    found: QuerySet[CustomCheckJob] = rows.filter(_found(search)) if search else rows
    return found


def ordered(rows: QuerySet[CustomCheckJob], by: str | None) -> QuerySet[CustomCheckJob]:
    """``-name`` is from the end; what has no value comes last either way."""
    column = (by or "id").removeprefix("-")
    if column not in ORDERINGS:
        raise ValidationError({"ordering": f"One of {', '.join(ORDERINGS)} is wanted, with a - before it or not."})
    expression = F(column).desc(nulls_last=True) if (by or "").startswith("-") else F(column).asc(nulls_last=True)
    return rows.order_by(expression, "id")


def logs(
    rows: QuerySet[CustomCheckLog],
    *,
    status: str | None = None,
    cause: str | None = None,
    since: str | datetime | None = None,
) -> QuerySet[CustomCheckLog]:
    """``since`` is when a check ended, at the earliest; without an offset it is UTC."""
    if status is not None:
        verdicts = [verdict.lower() for verdict in Verdict]
        rows = rows.filter(status=_one_of(verdicts, status.lower(), field="status"))
    if cause is not None:
        rows = rows.filter(cause=_one_of(list(Cause), cause, field="cause"))
    return rows if since is None else rows.filter(created_at__gte=time("since", since))


def time(field: str, value: str | datetime) -> datetime:
    try:
        return times.read(value)
    except ValidationError as error:
        raise ValidationError({field: error.messages}) from None


def _found(search: str) -> Q:
    text = strict_json.storable(search)
    if len(text) > LONGEST_SEARCH:
        raise ValidationError({"search": f"At most {LONGEST_SEARCH} characters are wanted."})
    columns = ("name", "script_git_url", "webhook_url", "tag_text")
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__icontains": text})
    if text.isascii() and text.isdecimal():
        found |= Q(pk=min(int(text), LARGEST_ID))
    return found


def _tag(tag: str) -> str:
    if not isinstance(tag, str) or not fields.TAG.fullmatch(tag):
        raise ValidationError({"tag": f"{tag!r:.80} {fields.NO_TAG}"})
    return tag


def _one_of(known: Sequence[Any], value: Any, *, field: str) -> str:
    if value not in known:
        raise ValidationError({field: f"One of {', '.join(known)} is wanted."})
    return str(value)
