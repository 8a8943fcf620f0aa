"""A delivery goes by the channel that it names, and each channel says whether a call may be made twice."""

from typing import Any

import pytest
from django.utils import timezone

from polling.channels import keboola, registry
from polling.channels.registry import CHANNELS
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery, DeliveryDraft
from polling.sending import attempts
from tests.polling.http.receivers import answer, receiving
from tests.polling.sending.couriers import Courier, client, wait_until
from tests.polling.services import make_polling_job

pytestmark = pytest.mark.django_db(transaction=True)


def claimed(url: str = "https://hooks.example.com/", **draft: Any) -> Delivery:
    fields = {"channel": "webhook", "event": "check.ended", "url": url, "method": "POST", "payload": {}} | draft
    delivery = Delivery.objects.open(DeliveryDraft(**fields), job=make_polling_job(), now=timezone.now())
    (claimed,) = Delivery.objects.claim([delivery.pk], now=timezone.now())
    return claimed


def test_every_channel_has_a_name_of_its_own() -> None:
    assert len(CHANNELS) == len(registry.ROWS)


def test_what_is_sent_to_a_url_is_a_webhook_where_no_other_channel_takes_it() -> None:
    assert registry.to("https://hooks.example.com/") == "webhook"


def test_a_delivery_goes_by_its_channel_whatever_its_event() -> None:
    with receiving(answer()) as receiver:
        attempts.attempt(claimed(f"http://127.0.0.1:{receiver.port}/", event=keboola.EVENT), client())
    assert b"webhook-id" in receiver.requests[0]


def test_a_delivery_whose_channel_is_gone_is_tried_again_and_hurts_no_other() -> None:
    gone = claimed(channel="carrier pigeon")
    Delivery.objects.update(claimed_until=None, claim_token=None)
    courier = Courier(client())
    courier.start()
    try:
        wait_until(lambda: gone.attempt_rows.exists(), seconds=10)
    finally:
        courier.close()
    gone.refresh_from_db()
    assert (gone.status, gone.attempt_rows.get().error) == ("pending", attempts.CRASHED)


@pytest.mark.parametrize(("channel", "status"), [("webhook", "pending"), ("keboola", "unknown")])
def test_a_fault_of_our_own_during_a_call_repeats_no_call_that_is_made_once(channel: str, status: str) -> None:
    delivery = claimed(channel=channel)
    assert delivery.begin(timezone.now())
    attempts.give_back(delivery, now=timezone.now())
    assert (delivery.status, delivery.attempts) == (status, 1)


def test_a_fault_of_our_own_after_a_call_was_settled_changes_nothing() -> None:
    with receiving(answer()) as receiver:
        delivery = claimed(f"http://127.0.0.1:{receiver.port}/")
        attempts.attempt(delivery, client())
    attempts.give_back(delivery, now=timezone.now())
    assert (delivery.status, delivery.attempts) == ("delivered", 1)


def test_the_job_that_waits_for_a_call_hears_that_a_fault_of_our_own_has_ended_it() -> None:
    delivery = claimed(channel="keboola")
    delivery.begin(timezone.now())
    attempts.give_back(delivery, now=timezone.now())
    job = PollingJob.objects.get()
    assert (job.status, job.failure_cause) == ("failed", "keboola_unknown")
