"""A test delivery: what a job would send if its next check succeeded, on the way that every delivery takes."""

import dataclasses

from django.utils import timezone

from polling.deliveries import Delivery
from polling.results import CheckResult, Verdict
from polling.scheduling import ScheduledJob

TEST_EVENT = "check.test"


class NothingToSend(Exception):
    """The message is a sentence for the caller."""


def send_test(job: ScheduledJob) -> Delivery:
    """Due at once; its payload says ``"test": true``. Raises NothingToSend."""
    now = timezone.now()
    sample = CheckResult(verdict=Verdict.SUCCESS, message="This is a test.")
    drafts = job.deliveries(sample, now)
    if not drafts:
        raise NothingToSend("The job has no webhook: give it a webhook_url first.")
    payload = {**drafts[0].payload, "test": True}
    draft = dataclasses.replace(drafts[0], event=TEST_EVENT, test=True, payload=payload)
    delivery: Delivery = Delivery.objects.open(draft, job=job, now=now)
    return delivery
