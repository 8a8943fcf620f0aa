"""The webhook: an HTTP call with the payload as its body, signed, and with an id by which a repetition is known.

Source: the specification of Standard Webhooks.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from polling.channels.channel import Call, Channel
from polling.http.exchanges import Client, ExchangeFailed, RequestRefused
from polling.outbox import signatures, templates
from polling.outbox.deliveries import Delivery, Outcome
from secrets_app import references
from secrets_app.references import Resolved

RETRIED_STATUS_CODES = (408, 429)
USUAL_HEADERS = {"content-type": "application/json", "user-agent": "TeckoChecker"}  # unless the job has its own


def prepare(delivery: Delivery, now: datetime) -> Call:
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
        started_at=now,
    )


def send(call: Call, client: Client) -> Outcome:
    try:
        answer = call.exchange(client)
    except RequestRefused as error:
        return call.unanswered(str(error), retry=not error.permanent)
    except ExchangeFailed as error:
        return call.unanswered(str(error), retry=True)
    retry = answer.status >= 500 or answer.status in RETRIED_STATUS_CODES
    return call.answered(answer, error=f"The receiver answered {answer.status}.", retry=retry)


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


CHANNEL = Channel(name="webhook", prepare=prepare, send=send, addresses=lambda _: True)
