"""Makes one webhook call and says what its answer means for the delivery."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.utils import timezone

from polling import metrics, templates
from polling.deliveries import Delivery
from polling.http import Answer, ExchangeFailed, GuardedClient, RequestRefused
from secrets_app import references

logger = structlog.get_logger(__name__)

RETRIED_STATUS_CODES = (408, 429)


def attempt(delivery: Delivery, client: GuardedClient) -> None:
    log = logger.bind(delivery_id=str(delivery.pk), job_id=delivery.job_id, attempt=delivery.attempts + 1)
    try:
        answer = _send(delivery, client)
    except references.SecretMissing as error:
        delivery.attempt_failed(str(error), status_code=None, retry=True, now=timezone.now())
        log.warning("delivery_failed", reason="secret_missing")
    except (RequestRefused, ExchangeFailed) as error:
        metrics.webhook_calls.labels(status_code="none").inc()
        permanent = isinstance(error, RequestRefused) and error.permanent
        delivery.attempt_failed(str(error), status_code=None, retry=not permanent, now=timezone.now())
        log.warning("delivery_failed", reason=str(error))
    else:
        metrics.webhook_calls.labels(status_code=str(answer.status)).inc()
        metrics.webhook_duration.observe(answer.elapsed_ms / 1000)
        _judge(delivery, answer)
        log.info("delivery_answered", status_code=answer.status, status=delivery.status)


def _send(delivery: Delivery, client: GuardedClient) -> Answer:
    payload = _with_short_names(json.loads(delivery.body))
    headers = _resolve(delivery, delivery.headers)
    query = _resolve(delivery, delivery.query, literal=lambda text: templates.render(text, payload))
    ours = {
        "content-type": "application/json",
        "user-agent": "TeckoChecker",
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(int(timezone.now().timestamp())),
    }
    theirs = {name: value for name, value in headers.items() if name.lower() not in ours}
    body = None if delivery.method == "GET" else delivery.body.encode()
    return client.send(delivery.method, delivery.url, headers={**theirs, **ours}, body=body, params=query)


def _resolve(delivery: Delivery, values: Mapping[str, str], *, literal: Callable[[str], str] = str) -> dict[str, str]:
    """Templates are filled in between the references: what a script answered is never read as a reference itself."""
    resolved = references.resolve(
        values, job_kind=delivery.job_kind, job_id=delivery.job_id, check_id=delivery.pk, literal=literal
    )
    return resolved.values


def _with_short_names(payload: dict[str, Any]) -> dict[str, Any]:
    """Templates may say ``{status}``, ``{data.x}`` and ``{message}`` for the payload's ``check_…``."""
    return {name.removeprefix("check_"): value for name, value in payload.items()} | payload


def _judge(delivery: Delivery, answer: Answer) -> None:
    now = timezone.now()
    if 200 <= answer.status < 300:
        delivery.succeeded(answer.status, now=now)
        return
    retry = answer.status >= 500 or answer.status in RETRIED_STATUS_CODES
    delivery.attempt_failed(f"The receiver answered {answer.status}.", status_code=answer.status, retry=retry, now=now)
