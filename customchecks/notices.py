"""What a job has to tell, and to whom: its end, that it errs, and that it errs no more."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from polling.deliveries import DeliveryDraft
from polling.results import CheckResult

if TYPE_CHECKING:
    from customchecks.models import CustomCheckJob

ENDED = "check.ended"
GAVE_UP = "check.gave_up"  # to the alert address, beside the webhook's own call
ALERT = "check.alert"
RECOVERED = "check.recovered"


def of_the_end(job: "CustomCheckJob", result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    drafts = []
    if job.webhook_url:
        drafts.append(_to_webhook(job, ENDED, _payload(job, result, now)))
    if job.alert_url and not result.verdict.terminal:
        drafts.append(_to_alert_url(job, GAVE_UP, _payload(job, result, now) | {"event": GAVE_UP}))
    return drafts


def of_errors(job: "CustomCheckJob", result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    """That they have begun, where the job is ``alerting``, or else that they are over."""
    event = ALERT if job.alerting else RECOVERED
    payload = _payload(job, result, now) | {"event": event, "consecutive_errors": job.consecutive_errors}
    if job.alert_url:
        return (_to_alert_url(job, event, payload, occurrence=job.alert_count),)
    return (_to_webhook(job, event, payload, occurrence=job.alert_count),) if job.webhook_url else ()


def _to_webhook(job: "CustomCheckJob", event: str, payload: dict[str, Any], *, occurrence: int = 1) -> DeliveryDraft:
    return DeliveryDraft(
        event=event,
        url=job.webhook_url or "",
        method=job.webhook_method,
        headers=job.webhook_headers or {},
        query=job.webhook_query_params or {},
        signing_secrets=job.webhook_signing_secrets,
        occurrence=occurrence,
        payload=payload,
    )


def _to_alert_url(job: "CustomCheckJob", event: str, payload: dict[str, Any], *, occurrence: int = 1) -> DeliveryDraft:
    """Signed, and without the webhook's headers and query: what is in them is for its receiver alone."""
    return DeliveryDraft(
        event=event,
        url=job.alert_url or "",
        method="POST",
        signing_secrets=job.webhook_signing_secrets,
        occurrence=occurrence,
        payload=payload,
    )


def _payload(job: "CustomCheckJob", result: CheckResult, now: datetime) -> dict[str, Any]:
    return {
        "job_id": job.pk,
        "job_name": job.name,
        "check_status": result.verdict.value,
        "check_data": result.data,
        "check_message": result.message or None,
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "execution_time_ms": result.execution_time_ms,
        "cause": result.cause,
        "script_version": result.revision,
    }
