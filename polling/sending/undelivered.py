"""Calls that have ended without being delivered: somebody is told, in the transaction in which they end.

The job's ``alert_url`` is told, or else the operator's ``TECKO_ALERT_URL``. Where the former cannot be reached the
operator is told of that; where the latter cannot, nobody: the admin and ``doctor`` show what nobody has looked at.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import structlog
from django.conf import settings

from polling.channels import registry as channels
from polling.jobs import registry as kinds
from polling.outbox.deliveries import Delivery, DeliveryDraft

logger = structlog.get_logger(__name__)

EVENT = "delivery.failed"


def tell(delivery: Delivery, *, now: datetime) -> None:
    """Once for each time that it was sent and has ended. The caller has the transaction."""
    logger.error("delivery_lost", delivery_id=str(delivery.pk), status=delivery.status, reason=delivery.last_error)
    url = _address(delivery)
    if not url or delivery.test:
        return
    keys = () if url == settings.TECKO_ALERT_URL else delivery.signing_secrets
    draft = DeliveryDraft(
        channel=channels.to(url),
        event=EVENT,
        url=url,
        method="POST",
        payload=_payload(delivery, now),
        signing_secrets=keys,
        occurrence=delivery.attempts,
        about=delivery.pk,
    )
    Delivery.objects.open(draft, job=_Owner.of(delivery), now=now)


def unseen() -> int:
    return int(Delivery.objects.filter(unseen=True).count())


@dataclass
class _Owner:
    """Of the alert: whose call was not delivered, in the cycle of that call, also where it is gone by now."""

    kind: str
    pk: int
    name: str
    cycle: int

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(delivery.job_kind, delivery.job_id, delivery.job_name, delivery.cycle)


def _address(delivery: Delivery) -> str:
    """An address that has just failed is told nothing, so this ends: at the operator's at the latest."""
    operators = str(settings.TECKO_ALERT_URL)
    wanted = [operators] if delivery.about else [_job_alert_url(delivery), operators]
    return next((url for url in wanted if url and url != delivery.url and delivery.url != operators), "")


def _job_alert_url(delivery: Delivery) -> str:
    """Nothing for groups, which have none, and for jobs that were deleted."""
    kind = kinds.find(delivery.job_kind)
    job = kind.objects.filter(pk=delivery.job_id).first() if kind else None
    return job.own_alert_url() if job else ""


def _payload(delivery: Delivery, now: datetime) -> dict[str, Any]:
    """What the call itself would have told is for its receiver alone."""
    return {
        "event": EVENT,
        "job_kind": delivery.job_kind,
        "job_id": delivery.job_id,
        "job_name": delivery.job_name,
        "check_status": json.loads(delivery.body).get("check_status"),
        "check_data": None,
        "check_message": f"{delivery} was not delivered: {delivery.last_error}",
        "timestamp": now.isoformat().replace("+00:00", "Z"),
        "cause": f"delivery_{delivery.status}",
        "undelivered": {
            "delivery_id": str(delivery.pk),
            "event": delivery.event,
            "url": delivery.url,
            "status": delivery.status,
            "attempts": delivery.attempts,
            "last_status_code": delivery.last_status_code,
            "last_error": delivery.last_error,
        },
    }
