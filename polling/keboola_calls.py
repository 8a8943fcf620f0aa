"""Starts a Keboola job at most once, and ends the job that waited for it.

The attempt is written down before the call and its outcome after it. Only what surely started nothing is tried again; a
call whose outcome was not seen is shown as unknown, and repeated only by somebody who has looked.
"""

import json
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from polling.deliveries import Delivery, DeliveryStatus
from polling.http import Answer, ExchangeFailed, GuardedClient, RequestRefused
from polling.polling_job import PollingJob
from polling.scheduling import JobStatus
from secrets_app import references

logger = structlog.get_logger(__name__)

GATEWAY_TIMEOUT = 504  # a gateway gave up waiting: what stands behind it may have started
LOOK = "Look into Keboola before it is sent again."
LOST = f"The process that called Keboola was lost, so it is not known whether the job has started. {LOOK}"
CAUSES = {DeliveryStatus.FAILED: "keboola_failed", DeliveryStatus.UNKNOWN: "keboola_unknown"}


def attempt(delivery: Delivery, client: GuardedClient, *, now: datetime | None = None) -> None:
    """``now`` is for the tests: it stands for the clock."""
    if delivery.attempt_started_at is not None:
        _unknown(delivery, LOST, now or timezone.now())
    elif delivery.begin(now or timezone.now()):
        _call(delivery, client, now)
    logger.info("keboola_called", delivery_id=str(delivery.pk), job_id=delivery.job_id, status=delivery.status)


def _call(delivery: Delivery, client: GuardedClient, now: datetime | None) -> None:
    try:
        answer = _send(delivery, client)
    except references.SecretMissing as error:
        _not_started(delivery, str(error), None, retry=True, now=now or timezone.now())
    except RequestRefused as error:
        _not_started(delivery, str(error), None, retry=not error.permanent, now=now or timezone.now())
    except ExchangeFailed as error:
        if error.sent:
            _unknown(delivery, f"{error} The request was sent, and no answer came. {LOOK}", now or timezone.now())
        else:
            _not_started(delivery, str(error), None, retry=True, now=now or timezone.now())
    else:
        _judge(delivery, answer, now or timezone.now())


def _send(delivery: Delivery, client: GuardedClient) -> Answer:
    resolved = references.resolve(
        delivery.headers, job_kind=delivery.job_kind, job_id=delivery.job_id, check_id=delivery.pk
    )
    body = json.loads(delivery.body)
    body.pop("delivery_id", None)  # ours: Keboola refuses a field that it does not know
    headers = {**resolved.values, "Content-Type": "application/json"}
    return client.send(delivery.method, delivery.url, headers=headers, body=json.dumps(body).encode())


def _judge(delivery: Delivery, answer: Answer, now: datetime) -> None:
    if 200 <= answer.status < 300:
        _started(delivery, answer, now)
    elif answer.status == GATEWAY_TIMEOUT:
        _unknown(delivery, f"Keboola's gateway answered {answer.status}. {LOOK}", now)
    else:
        retry = answer.status == 429 or answer.status >= 500
        _not_started(delivery, f"Keboola answered {answer.status}.", answer.status, retry=retry, now=now)


@transaction.atomic
def _started(delivery: Delivery, answer: Answer, now: datetime) -> None:
    if delivery.succeeded(answer.status, now=now) and (job := _job(delivery)):
        job.log("triggered", f"Keboola started a job{_number(answer)}.", now=now)
        job.conclude(job.outcome, now=now)


@transaction.atomic
def _not_started(delivery: Delivery, error: str, status_code: int | None, *, retry: bool, now: datetime) -> None:
    if delivery.attempt_failed(error, status_code=status_code, retry=retry, now=now):
        _tell(delivery, f"Keboola was not started: {error}", now)


@transaction.atomic
def _unknown(delivery: Delivery, error: str, now: datetime) -> None:
    if delivery.outcome_unknown(error):
        _tell(delivery, error, now)


def _tell(delivery: Delivery, message: str, now: datetime) -> None:
    """Writes the job's log; a job whose call will not be made again has failed."""
    if job := _job(delivery):
        again = f" Next attempt at {delivery.next_attempt_at:%H:%M:%S} UTC." if delivery.next_attempt_at else ""
        job.log("error", message + again, now=now)
        if cause := CAUSES.get(DeliveryStatus(delivery.status)):
            job.conclude(JobStatus.FAILED, cause=cause, now=now)


def _job(delivery: Delivery) -> PollingJob | None:
    """None where it was deleted, or restarted since: another cycle is not ended by an old call."""
    jobs = PollingJob.objects.select_for_update().filter(pk=delivery.job_id, cycle=delivery.cycle)
    job: PollingJob | None = jobs.first() if delivery.job_kind == PollingJob.kind else None  # type: ignore[assignment]
    return job


def _number(answer: Answer) -> str:
    """Its number, or nothing: it is a service to the reader of the log only."""
    try:
        number = json.loads(answer.body).get("id")
    except (ValueError, AttributeError):
        return ""
    return f": {str(number)[:50]}" if isinstance(number, str | int) else ""
