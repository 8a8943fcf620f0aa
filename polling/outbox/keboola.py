"""What is said to Keboola: where its queue is, and the call that starts a component. Source: Keboola's Queue API."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from polling.http.addresses import Allowance, UrlRefused, check_url
from polling.http.responses import json_object
from polling.outbox.deliveries import DeliveryDraft, Outcome

EVENT = "keboola.job"


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
        at_most_once=True,
    )


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
