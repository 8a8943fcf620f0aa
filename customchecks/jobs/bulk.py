"""One action on many jobs: each on its own, with its own result."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from customchecks.jobs import selection, service
from customchecks.jobs.models import CustomCheckJob
from polling.jobs.scheduling import TransitionRefused

MOST = 1000
FILTERS = ("status", "runtime", "tags", "search")
GONE = "There is no such job."

ACTIONS: Mapping[str, Callable[[CustomCheckJob], object]] = {
    "pause": CustomCheckJob.pause,
    "resume": CustomCheckJob.resume,
    "trigger": CustomCheckJob.trigger,
    "restart": CustomCheckJob.restart,
    "delete": service.delete_job,
}


@dataclass(frozen=True)
class Result:
    """``detail`` says why it was not done; ``status`` is the job's, None where it is gone."""

    job_id: int
    ok: bool
    status: str | None = None
    check_id: UUID | None = None
    detail: str = ""


def chosen(*, ids: Any = None, narrowed_by: Any = None) -> list[int]:
    """The numbers of the jobs that somebody means, who says either one. Raises ValidationError."""
    if (ids is None) == (narrowed_by is None):
        raise ValidationError("Either ids or filter says which jobs are meant.")
    if ids is not None:
        return _numbers(ids)
    if not isinstance(narrowed_by, dict) or not narrowed_by:
        raise ValidationError({"filter": f"An object with one or more of {', '.join(FILTERS)} is wanted."})
    if odd := [name for name in narrowed_by if name not in FILTERS]:
        raise ValidationError({"filter": f"There is no filter {odd[0]!r:.80}; there is {', '.join(FILTERS)}."})
    found = list(selection.jobs(CustomCheckJob.objects.all(), **_words(narrowed_by)).order_by("pk")[: MOST + 1])
    if len(found) > MOST:
        raise ValidationError({"filter": f"At most {MOST} jobs at once are possible: narrow the filter."})
    return [job.pk for job in found]


def run(action: str, ids: Sequence[int]) -> Iterator[Result]:
    known = CustomCheckJob.objects.in_bulk(ids)
    for number in ids:
        job = known.get(number)
        yield Result(number, ok=False, detail=GONE) if job is None else _one(action, job)


def _one(action: str, job: CustomCheckJob) -> Result:
    number = job.pk
    try:
        done = ACTIONS[action](job)
    except TransitionRefused as error:
        return Result(number, ok=False, status=job.status, detail=str(error))
    except CustomCheckJob.DoesNotExist:
        return Result(number, ok=False, detail=GONE)
    status = None if action == "delete" else job.status
    return Result(number, ok=True, status=status, check_id=done if isinstance(done, UUID) else None)


def _numbers(ids: Any) -> list[int]:
    if not isinstance(ids, list) or not 1 <= len(ids) <= MOST:
        raise ValidationError({"ids": f"A list of 1 to {MOST} numbers of jobs is wanted."})
    if any(type(number) is not int or not 0 < number <= selection.LARGEST_ID for number in ids):
        raise ValidationError({"ids": "The number of a job is a whole number from 1."})
    return list(dict.fromkeys(ids))


def _words(narrowed_by: dict[str, Any]) -> dict[str, Any]:
    tags = narrowed_by.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValidationError({"filter": "tags is a list of words."})
    if not all(isinstance(value, str) for name, value in narrowed_by.items() if name != "tags"):
        raise ValidationError({"filter": "The values of a filter are texts."})
    if not any(narrowed_by.values()):
        raise ValidationError({"filter": "An empty filter would mean every job."})
    return {**narrowed_by, "tags": tags}
