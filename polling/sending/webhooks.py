"""Makes one webhook call and says what its answer means for the delivery."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

import structlog
from django.utils import timezone

from polling.base.crash_points import Point, reach
from polling.http.client import Answer, ExchangeFailed, GuardedClient, RequestRefused
from polling.jobs import metrics
from polling.outbox import retries, signatures, templates
from polling.outbox.deliveries import Delivery, Outcome, Writer, at_once
from polling.sending import undelivered
from secrets_app import references
from secrets_app.masking.masker import Masker
from secrets_app.references import Resolved

logger = structlog.get_logger(__name__)

RETRIED_STATUS_CODES = (408, 429)
USUAL_HEADERS = {"content-type": "application/json", "user-agent": "TeckoChecker"}  # unless the job has its own


@dataclass(frozen=True, kw_only=True)
class Call:
    """A delivery with its secrets in it, ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    maskers: Iterable[Masker] = field(repr=False)

    def masked(self, text: str) -> str:
        return reduce(lambda masked, masker: masker.text(masked), self.maskers, text)


def attempt(
    delivery: Delivery,
    client: GuardedClient,
    *,
    database: AbstractContextManager[object] | None = None,
    write: Writer = at_once,
) -> None:
    """``database`` is entered for each use of the database and left while the receiver is waited for.

    ``write`` writes down what came of the call.
    """
    database = database or nullcontext()
    started = timezone.now()
    reach(Point.DELIVERY_CLAIMED)
    try:
        with database:
            call = _prepare(delivery, started)
    except (references.SecretMissing, signatures.BadKey, templates.TemplateError) as error:
        outcome = Outcome(started_at=started, duration_ms=0, error=str(error), retry=True)
    else:
        reach(Point.DELIVERY_PREPARED)
        outcome = _made(call, client, started)
        reach(Point.DELIVERY_ANSWERED)
    settled = write(lambda: undelivered.settle(delivery, outcome, now=timezone.now()))
    reach(Point.DELIVERY_SETTLED)
    _report(delivery, outcome, settled=settled)


def _prepare(delivery: Delivery, now: datetime) -> Call:
    payload = json.loads(delivery.body)
    headers = _resolve(delivery, delivery.headers)
    query = _resolve(delivery, delivery.query, literal=lambda text: templates.render(text, payload))
    keys = _resolve(delivery, {str(place): key for place, key in enumerate(delivery.signing_secrets)})
    body = None if delivery.method == "GET" else delivery.body.encode()
    ours = _our_headers(delivery, body or b"", keys=list(keys.values.values()), now=now)
    theirs = {name: value for name, value in headers.values.items() if name.lower() not in ours}
    usual = {name: value for name, value in USUAL_HEADERS.items() if name not in map(str.lower, theirs)}
    return Call(
        method=delivery.method,
        url=delivery.url,
        headers={**usual, **theirs, **ours},
        query=query.values,
        body=body,
        maskers=(headers.masker, query.masker, keys.masker),
    )


def _our_headers(delivery: Delivery, body: bytes, *, keys: list[str], now: datetime) -> dict[str, str]:
    ours = {
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if keys:
        ours["webhook-signature"] = signatures.sign(body, message_id=str(delivery.pk), at=now, keys=keys)
    return ours


def _resolve(delivery: Delivery, values: Mapping[str, str], *, literal: Callable[[str], str] = str) -> Resolved:
    """Templates are filled in between the references: what a script answered is never read as a reference itself."""
    return references.resolve(
        values, job_kind=delivery.job_kind, job_id=delivery.job_id, check_id=delivery.pk, literal=literal
    )


def _made(call: Call, client: GuardedClient, started: datetime) -> Outcome:
    try:
        answer = client.send(call.method, call.url, headers=call.headers, body=call.body, params=call.query)
    except (RequestRefused, ExchangeFailed) as error:
        permanent = isinstance(error, RequestRefused) and error.permanent
        spent = round((timezone.now() - started).total_seconds() * 1000)
        return Outcome(
            started_at=started, duration_ms=max(0, spent), error=call.masked(str(error)), retry=not permanent
        )
    return _judged(call, answer, started)


def _judged(call: Call, answer: Answer, started: datetime) -> Outcome:
    delivered = 200 <= answer.status < 300
    return Outcome(
        started_at=started,
        duration_ms=answer.elapsed_ms,
        status_code=answer.status,
        error="" if delivered else f"The receiver answered {answer.status}.",
        answer=call.masked(_storable(answer.body)),
        retry=answer.status >= 500 or answer.status in RETRIED_STATUS_CODES,
        retry_after=retries.retry_after(answer.headers, now=timezone.now()),
    )


def _storable(body: bytes) -> str:
    return body.decode(errors="replace").replace("\0", "\ufffd")


def _report(delivery: Delivery, outcome: Outcome, *, settled: bool) -> None:
    metrics.webhook_calls.labels(status_code=str(outcome.status_code or "none")).inc()
    metrics.webhook_duration.observe(outcome.duration_ms / 1000)
    if settled and delivery.next_attempt_at is None:
        metrics.deliveries_ended.labels(status=delivery.status).inc()
    log = logger.bind(delivery_id=str(delivery.pk), job_id=delivery.job_id, attempt=delivery.attempts)
    level = log.info if outcome.delivered else log.warning
    level("delivery_attempted", status_code=outcome.status_code, status=delivery.status, reason=outcome.error)
