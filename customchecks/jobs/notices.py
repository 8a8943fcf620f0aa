"""What a custom check tells at its end, and what it starts then."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from customchecks.jobs.keboola_fields import KeboolaOn
from polling.base.results import CheckResult, Verdict
from polling.channels import keboola, notices
from polling.channels.alerts import Telling
from polling.outbox import templates
from polling.outbox.deliveries import Delivery, DeliveryDraft, Outcome

KEBOOLA = "check.keboola"
LONGEST_VARIABLE = 64 * 1024


class Starting(Telling, Protocol):
    """A job that can start one of Keboola at its end."""

    last_check_status: Any
    last_check_data: Any
    keboola_stack_url: Any
    keboola_component_id: Any
    keboola_configuration_id: Any
    keboola_token: Any
    keboola_variables: Any
    keboola_on: Any


def of_the_end(job: Starting, result: CheckResult, now: datetime) -> Sequence[DeliveryDraft]:
    drafts = notices.of_the_end(job, result, now)
    if job.keboola_stack_url and (result.verdict is Verdict.SUCCESS or job.keboola_on == KeboolaOn.ENDED):
        drafts.append(_to_keboola(job, notices.payload(job, result, now)))
    return drafts


def of_keboola(job: Starting, delivery: Delivery, outcome: Outcome, now: datetime) -> Sequence[DeliveryDraft]:
    """That no Keboola job is known to have started, once for each time that it was sent."""
    result = CheckResult(
        verdict=Verdict(job.last_check_status or Verdict.ERROR),
        data=job.last_check_data or {},
        message=delivery.last_error,
    )
    payload = notices.payload(job, result, now) | {"cause": keboola.cause(outcome)}
    return notices.alert(job, KEBOOLA, payload, occurrence=delivery.attempts)


def _to_keboola(job: Starting, payload: dict[str, Any]) -> DeliveryDraft:
    """Its variables are filled in now: what Keboola gets has no room for the payload."""
    variables = job.keboola_variables or {}
    return keboola.start(
        stack_url=job.keboola_stack_url or "",
        component=job.keboola_component_id or "",
        configuration=job.keboola_configuration_id or "",
        token=job.keboola_token or "",
        variables={name: templates.render(text, payload, longest=LONGEST_VARIABLE) for name, text in variables.items()},
    )
