"""What a job has to tell, and to whom: its end, that it errs, and that it errs no more; and what it starts."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from customchecks.keboola_fields import KeboolaOn
from polling import alerts, keboola, templates
from polling.deliveries import Delivery, DeliveryDraft, Outcome
from polling.results import CheckResult, Verdict

if TYPE_CHECKING:
    from customchecks.models import CustomCheckJob

ENDED = "check.ended"
KEBOOLA = "check.keboola"
LONGEST_VARIABLE = 64 * 1024


def of_the_end(job: "CustomCheckJob", result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    drafts = []
    if job.webhook_url:
        drafts.append(_to_webhook(job, ENDED, _payload(job, result, now)))
    if _alert_url(job) and not result.verdict.terminal:
        drafts.append(_to_alert_url(job, alerts.GAVE_UP, _payload(job, result, now)))
    if job.keboola_stack_url and (result.verdict is Verdict.SUCCESS or job.keboola_on == KeboolaOn.ENDED):
        drafts.append(_to_keboola(job, _payload(job, result, now)))
    return drafts


def of_errors(job: "CustomCheckJob", result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    return _alert(job, alerts.of_errors(job), _payload(job, result, now), occurrence=job.alert_count)


def of_keboola(job: "CustomCheckJob", delivery: Delivery, outcome: Outcome, now: datetime) -> Sequence[DeliveryDraft]:
    """That no Keboola job is known to have started, once for each time that it was sent."""
    result = CheckResult(
        verdict=Verdict(job.last_check_status or Verdict.ERROR),
        data=job.last_check_data or {},
        message=delivery.last_error,
    )
    payload = _payload(job, result, now) | {"cause": keboola.cause(outcome)}
    return _alert(job, KEBOOLA, payload, occurrence=delivery.attempts)


def _alert(job: "CustomCheckJob", event: str, payload: dict[str, Any], *, occurrence: int) -> Sequence[DeliveryDraft]:
    if _alert_url(job):
        return (_to_alert_url(job, event, payload, occurrence=occurrence),)
    words = alerts.words(job, event)
    return (_to_webhook(job, event, payload | words, occurrence=occurrence),) if job.webhook_url else ()


def _alert_url(job: "CustomCheckJob") -> str:
    """The operator's is for jobs that have nobody to tell."""
    return str(job.alert_url or ("" if job.webhook_url else settings.TECKO_ALERT_URL))


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
    keys = job.webhook_signing_secrets
    return alerts.draft(_alert_url(job), event, payload, job=job, signing_secrets=keys, occurrence=occurrence)


def _to_keboola(job: "CustomCheckJob", payload: dict[str, Any]) -> DeliveryDraft:
    """Its variables are filled in now: what Keboola gets has no room for the payload."""
    variables = job.keboola_variables or {}
    return keboola.start(
        stack_url=job.keboola_stack_url or "",
        component=job.keboola_component_id or "",
        configuration=job.keboola_configuration_id or "",
        token=job.keboola_token or "",
        variables={name: templates.render(text, payload, longest=LONGEST_VARIABLE) for name, text in variables.items()},
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
