"""What the django-q2 cluster calls. The rows are the truth: a lost, late or doubled task is harmless."""

import uuid

from polling import keboola, keboola_calls, webhooks
from polling.deliveries import Delivery
from polling.http import GuardedClient
from polling.sweeper import Sweeper, this_host

SENDERS = {keboola.EVENT: keboola_calls.attempt}


def sweep() -> str:
    return Sweeper.from_settings(host=this_host()).run()


def deliver(delivery_id: str, claim_token: str) -> str:
    delivery = Delivery.objects.filter(pk=delivery_id, claim_token=uuid.UUID(claim_token)).first()
    if delivery is None:
        return "claimed by another attempt"
    SENDERS.get(delivery.event, webhooks.attempt)(delivery, GuardedClient.from_settings())
    return str(delivery.status)
