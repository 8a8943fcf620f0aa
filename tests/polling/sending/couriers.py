"""A courier at work, and deliveries for it; run as a module it is the process that a test kills."""

import contextlib
import time
from collections.abc import Callable, Iterator

import django
from django.utils import timezone

from polling.http.addresses import Allowance
from polling.http.client import GuardedClient


def client(**options: float) -> GuardedClient:
    return GuardedClient(allow=Allowance.parse(["127.0.0.0/8"]), **options)  # type: ignore[arg-type]


def wait_until(reached: Callable[[], bool], *, seconds: float) -> float:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


if __name__ == "__main__":
    django.setup()

from polling.outbox.deliveries import Delivery, DeliveryAttempt, DeliveryDraft  # noqa: E402
from polling.sending.courier import Courier  # noqa: E402  models are loaded after the setup
from tests.kinds.models import ScriptedJob  # noqa: E402

__all__ = ["Courier", "Delivery", "DeliveryAttempt", "client", "owe", "wait_until", "working"]


@contextlib.contextmanager
def working(**options: float) -> Iterator[Courier]:
    courier = Courier(client(**options))
    courier.start()
    try:
        yield courier
    finally:
        courier.close()


def owe(url: str, *, job: ScriptedJob | None = None, method: str = "POST", event: str = "e") -> Delivery:
    job = job or ScriptedJob.objects.create(name="job")
    draft = DeliveryDraft(channel="webhook", event=event, url=url, method=method, payload={"job_id": job.pk})
    delivery: Delivery = Delivery.objects.open(draft, job=job, now=timezone.now())
    return delivery


if __name__ == "__main__":
    with working(deadline=5):
        time.sleep(20)
