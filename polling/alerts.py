"""Alerts: that a job errs, that it errs no more, and that it was given up; to an address, not to its webhook."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from polling.deliveries import DeliveryDraft
from polling.results import CheckResult

if TYPE_CHECKING:
    from polling.scheduling import ScheduledJob

ALERT = "check.alert"
RECOVERED = "check.recovered"
GAVE_UP = "check.gave_up"


def of_errors(job: "ScheduledJob") -> str:
    """The event: that they have begun, where the job is ``alerting``, or else that they are over."""
    return ALERT if job.alerting else RECOVERED


def words(job: "ScheduledJob", event: str) -> dict[str, Any]:
    """What the payload of an alert has more than that of an end."""
    return {"event": event, "job_kind": job.kind, "consecutive_errors": job.consecutive_errors}


def draft(
    url: str,
    event: str,
    payload: Mapping[str, Any],
    *,
    job: "ScheduledJob",
    signing_secrets: Sequence[str] = (),
    occurrence: int = 1,
) -> DeliveryDraft:
    """Without a webhook's headers and query: what is in them is for its receiver alone."""
    return DeliveryDraft(
        event=event,
        url=url,
        method="POST",
        signing_secrets=signing_secrets,
        occurrence=occurrence,
        payload={**payload, **words(job, event)},
    )


def to_operator(
    job: "ScheduledJob", event: str, result: CheckResult, now: datetime, *, cause: str = "", occurrence: int = 1
) -> Sequence[DeliveryDraft]:
    """For a job that has no address of its own; nothing where the operator has none either."""
    if not settings.TECKO_ALERT_URL:
        return ()
    payload = {
        "job_id": job.pk,
        "job_name": job.name,
        "check_status": result.verdict.value,
        "check_data": result.data,
        "check_message": result.message or None,
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "cause": cause or result.cause,
    }
    return (draft(settings.TECKO_ALERT_URL, event, payload, job=job, occurrence=occurrence),)
