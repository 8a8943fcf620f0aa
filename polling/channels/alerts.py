"""The events of alerts: that a job errs, that it errs no more, and that it was given up."""

from typing import Any, Protocol

from polling.outbox.deliveries import Owner

ALERT = "check.alert"
RECOVERED = "check.recovered"
GAVE_UP = "check.gave_up"


class Telling(Owner, Protocol):
    """A job that can tell somebody what becomes of it."""

    webhook_url: Any
    webhook_method: Any
    webhook_headers: Any
    webhook_query_params: Any
    webhook_signing_secrets: Any
    alert_url: Any
    alerting: Any
    alert_count: Any
    consecutive_errors: Any


def of_errors(job: Telling) -> str:
    """The event: that they have begun, where the job is ``alerting``, or else that they are over."""
    return ALERT if job.alerting else RECOVERED


def words(job: Telling, event: str) -> dict[str, Any]:
    """What the payload of an alert has more than that of an end."""
    return {"event": event, "job_kind": job.kind, "consecutive_errors": job.consecutive_errors}
