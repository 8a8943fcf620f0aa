"""A test delivery: what a job or a group would send if it ended now, on the way that every delivery takes."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from polling.base.results import CheckResult, Verdict
from polling.channels.registry import CHANNELS
from polling.jobs.groups import Ending, GroupStatus, JobGroup
from polling.jobs.scheduling import ScheduledJob
from polling.outbox.deliveries import Delivery, DeliveryDraft, DeliveryStatus, Owner

MOST_WAITING = 10  # a receiver that is down keeps each for a day


class SendRefused(Exception):
    """The message is a sentence for the caller."""


def send_test(job: ScheduledJob) -> Delivery:
    """Due at once; its payload says ``"test": true``. Raises SendRefused."""
    now = timezone.now()
    sample = CheckResult(verdict=Verdict.SUCCESS, message="This is a test.")
    return _send(job.deliveries(sample, now), owner=job, now=now)


def send_group_test(group: JobGroup) -> Delivery:
    """With the members as they are now. Raises SendRefused."""
    now = timezone.now()
    return _send([group.draft(Ending(GroupStatus.COMPLETED), now)], owner=group, now=now)


def _send(drafts: Sequence[DeliveryDraft], *, owner: Owner, now: datetime) -> Delivery:
    """What may be done only once is not done for a test."""
    waiting = Delivery.objects.filter(job_kind=owner.kind, job_id=owner.pk, test=True, status=DeliveryStatus.PENDING)
    if waiting.count() >= MOST_WAITING:
        raise SendRefused(f"{MOST_WAITING} tests are still to be delivered: wait for them, or look why they are not.")
    webhooks = [draft for draft in drafts if CHANNELS[draft.channel].repeatable]
    if not webhooks:
        raise SendRefused("The job has no webhook: give it a webhook_url first.")
    payload = {**webhooks[0].payload, "test": True}
    event = webhooks[0].event.replace(".ended", ".test")
    draft = dataclasses.replace(webhooks[0], event=event, test=True, payload=payload)
    delivery: Delivery = Delivery.objects.open(draft, job=owner, now=now)
    return delivery
