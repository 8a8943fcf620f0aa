"""What a job with a webhook or an alert address tells: its end, that it errs, and that it errs no more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from polling.base.results import CheckResult
from polling.channels import alerts, registry
from polling.channels.alerts import Telling
from polling.outbox.deliveries import DeliveryDraft

ENDED = "check.ended"


class Calling(Protocol):
    webhook_url: Any
    keboola_stack_url: Any
    keboola_component_id: Any
    keboola_configuration_id: Any


def calls(job: Calling) -> list[str]:
    """What the end of a cycle starts and calls, for people."""
    started = f"Keboola component {job.keboola_component_id}, configuration {job.keboola_configuration_id}"
    return [started] * bool(job.keboola_stack_url) + [webhook(job.webhook_url)] * bool(job.webhook_url)


def webhook(url: str) -> str:
    """Without its path and query, which may hold a secret."""
    parts = urlsplit(url)
    return f"webhook {parts.scheme}://{parts.netloc}"


def of_the_end(job: Telling, result: CheckResult, now: datetime) -> list[DeliveryDraft]:
    drafts = []
    if job.webhook_url:
        drafts.append(_to_webhook(job, ENDED, payload(job, result, now)))
    if _alert_url(job) and not result.verdict.terminal:
        drafts.append(_to_alert_url(job, alerts.GAVE_UP, payload(job, result, now)))
    return drafts


def of_errors(job: Telling, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    return alert(job, alerts.of_errors(job), payload(job, result, now), occurrence=job.alert_count)


def alert(job: Telling, event: str, payload: dict[str, Any], *, occurrence: int) -> Sequence[DeliveryDraft]:
    """To the job's alert address, or else to its webhook, or else to the operator."""
    if _alert_url(job):
        return (_to_alert_url(job, event, payload, occurrence=occurrence),)
    words = alerts.words(job, event)
    return (_to_webhook(job, event, payload | words, occurrence=occurrence),) if job.webhook_url else ()


def payload(job: Telling, result: CheckResult, now: datetime) -> dict[str, Any]:
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


def _alert_url(job: Telling) -> str:
    """The operator's is for jobs that have nobody to tell."""
    return str(job.alert_url or ("" if job.webhook_url else settings.TECKO_ALERT_URL))


def _to_webhook(job: Telling, event: str, payload: dict[str, Any], *, occurrence: int = 1) -> DeliveryDraft:
    return DeliveryDraft(
        channel=registry.to(job.webhook_url or ""),
        event=event,
        url=job.webhook_url or "",
        method=job.webhook_method,
        headers=job.webhook_headers or {},
        query=job.webhook_query_params or {},
        signing_secrets=job.webhook_signing_secrets,
        occurrence=occurrence,
        payload=payload,
    )


def _to_alert_url(job: Telling, event: str, payload: dict[str, Any], *, occurrence: int = 1) -> DeliveryDraft:
    """Without the webhook's headers and query: what is in them is for its receiver alone."""
    return DeliveryDraft(
        channel=registry.to(_alert_url(job)),
        event=event,
        url=_alert_url(job),
        method="POST",
        signing_secrets=job.webhook_signing_secrets,
        occurrence=occurrence,
        payload={**payload, **alerts.words(job, event)},
    )
