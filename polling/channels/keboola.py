"""The channel to Keboola: a call that starts a component, at most once. Source: Keboola's Queue API.

Only what surely started nothing is tried again; a call whose outcome was not seen is shown as unknown, and repeated
only by somebody who has looked.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from polling.channels.channel import Call, Channel
from polling.http.addresses import Allowance, UrlRefused, check_url
from polling.http.exchanges import Client, ExchangeFailed, RequestRefused
from polling.http.responses import json_object
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome
from secrets_app import references

NAME = "keboola"
EVENT = "keboola.job"
GATEWAY_TIMEOUT = 504  # a gateway gave up waiting: what stands behind it may have started
LOOK = "Look into Keboola before it is sent again."
LOST = f"The process that called Keboola was lost, so it is not known whether the job has started. {LOOK}"


def stack_url(value: str) -> None:
    try:
        target = check_url(value, allow=Allowance.parse(settings.TECKO_WEBHOOK_ALLOW))
    except UrlRefused as error:
        raise ValidationError(str(error), "stack_url") from None
    if target.path.partition("?")[0] != target.path or "#" in value:
        raise ValidationError("The address of a stack has no query.", "stack_url")


def queue_url(stack_url: str) -> str:
    """``https://connection.eu-central-1.keboola.com`` has its queue at ``https://queue.eu-central-1.keboola.com``."""
    parts = urlsplit(stack_url)
    return urlunsplit((parts.scheme, parts.netloc.replace("connection", "queue", 1), parts.path.rstrip("/"), "", ""))


def start(
    *, stack_url: str, component: str, configuration: str, token: str, variables: Mapping[str, str]
) -> DeliveryDraft:
    """``token`` is a reference to a secret. Keboola knows no idempotency key: a repeated call starts a second job."""
    values = [{"name": name, "value": value} for name, value in variables.items()]
    return DeliveryDraft(
        channel=NAME,
        event=EVENT,
        url=f"{queue_url(stack_url)}/jobs",
        method="POST",
        headers={"X-StorageApi-Token": token},
        payload={
            "mode": "run",
            "component": component,
            "config": configuration,
            "variableValuesData": {"values": values},
        },
    )


def prepare(delivery: Delivery, now: datetime) -> Call:
    token = references.resolve(
        delivery.headers, job_kind=delivery.job_kind, job_id=delivery.job_id, check_id=delivery.pk
    )
    body = json.loads(delivery.body)
    body.pop("delivery_id", None)  # ours: Keboola refuses a field that it does not know
    return Call(
        method=delivery.method,
        url=delivery.url,
        headers={**token.values, "Content-Type": "application/json"},
        body=json.dumps(body).encode(),
        maskers=(token.masker,),
        started_at=now,
    )


def send(call: Call, client: Client) -> Outcome:
    try:
        answer = call.exchange(client)
    except RequestRefused as error:
        return call.unanswered(str(error), retry=not error.permanent)
    except ExchangeFailed as error:
        message = f"{error} The request was sent, and no answer came. {LOOK}" if error.sent else str(error)
        return call.unanswered(message, retry=not error.sent, unknown=error.sent)
    unknown = answer.status == GATEWAY_TIMEOUT
    problem = f"Keboola answered {answer.status}.{f' {LOOK}' if unknown else ''}"
    return call.answered(answer, error=problem, retry=answer.status == 429 or answer.status >= 500, unknown=unknown)


def batch_variables(completed: list[str], failed: list[str]) -> dict[str, str]:
    return {
        "batch_ids_completed": json.dumps(completed),
        "batch_ids_failed": json.dumps(failed),
        "batch_count_total": str(len(completed) + len(failed)),
        "batch_count_completed": str(len(completed)),
        "batch_count_failed": str(len(failed)),
    }


def job_number(answer: str) -> str:
    """Of the job that was started, or nothing: it is a service to readers only."""
    number = json_object(answer).get("id")
    return str(number)[:50] if isinstance(number, str | int) else ""


def cause(outcome: Outcome) -> str:
    """Why no Keboola job is known to have started."""
    return "keboola_unknown" if outcome.unknown else "keboola_failed"


CHANNEL = Channel(name=NAME, prepare=prepare, send=send, made_once=LOST, job_waits=True)
