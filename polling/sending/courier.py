"""Makes the calls that are due, many at once, in threads of the sweep's process and apart from its checks.

A thread that waits for a receiver holds no database connection and no check's slot.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from polling.base.outage import Outage
from polling.http.client import GuardedClient
from polling.jobs import metrics
from polling.outbox.deliveries import CLAIM_SECONDS, Delivery
from polling.sending import attempts
from polling.sending.traffic import PLACES, Traffic

logger = structlog.get_logger(__name__)

PASS_SECONDS = 0.5
CONNECTIONS = 4
ATTEMPT_SECONDS = 22.0  # the client's deadline, and a little for what is written before and after


class _Database:
    """At most ``CONNECTIONS`` threads use the database at a time, and none keeps its connection."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(CONNECTIONS)

    def __enter__(self) -> Self:
        self._free.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        connection.close()
        self._free.release()


class Courier:
    """``start``, then ``stop`` (no new calls), then ``close``, which waits for the calls in flight."""

    def __init__(self, client: GuardedClient, *, outage: Outage | None = None) -> None:
        self._client = client
        self._outage = outage or Outage()
        self._traffic = Traffic()
        self._database = _Database()
        self._threads = ThreadPoolExecutor(PLACES, thread_name_prefix="deliver")
        self._wake = threading.Event()
        self._stopped_at: float | None = None
        self._loop = threading.Thread(target=self._run, name="courier", daemon=True)

    @classmethod
    def from_settings(cls, *, outage: Outage) -> Self:
        return cls(GuardedClient.from_settings(), outage=outage)

    @property
    def calls_in_flight(self) -> int:
        return self._traffic.total()

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._wake.set()

    def close(self) -> None:
        """What is in flight after an attempt's longest time is made again by whoever is next."""
        self.stop()
        self._loop.join(ATTEMPT_SECONDS)
        end = (self._stopped_at or 0) + ATTEMPT_SECONDS
        while self._traffic.total() and time.monotonic() < end:
            time.sleep(0.05)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while self._stopped_at is None:
            if not self._safely():
                self._wake.wait(PASS_SECONDS)
                self._wake.clear()

    def _safely(self) -> int:
        """The loop must not die of one bad pass; what was not sent is still due in the next one."""
        try:
            with self._database:
                return self._pass()
        except Exception as error:
            if not self._outage.noted(error):
                logger.exception("delivery_pass_failed")
            return 0

    def _pass(self) -> int:
        now = timezone.now()
        chosen = self._traffic.choose(Delivery.objects.waiting(now=now, without=self._traffic.closed()))
        if not chosen:
            return 0
        claimed = Delivery.objects.claim(chosen, now=now)
        for delivery in claimed:
            due = delivery.next_attempt_at or now
            metrics.delivery_delay.observe(max(0.0, (now - due).total_seconds()))
            self._traffic.enter(delivery.receiver)
            self._threads.submit(self._attempt, delivery)
        return len(claimed)

    def _write(self, delivery: Delivery, action: Callable[[], bool]) -> bool:
        """What a receiver has answered waits for a database that is away, as long as nobody makes the call again."""
        end = time.monotonic() + CLAIM_SECONDS - ATTEMPT_SECONDS
        before = dict(vars(delivery))
        while True:
            try:
                with self._database:
                    return action()
            except (DatabaseError, InterfaceError) as error:
                over = self._stopped_at is not None or time.monotonic() > end
                if not self._outage.noted(error) or over:
                    raise
                vars(delivery).update(before)  # a try that was broken off has read what it wrote
                time.sleep(PASS_SECONDS)

    def _give_back(self, delivery: Delivery) -> None:
        try:
            with self._database:
                attempts.give_back(delivery, now=timezone.now())
        except DatabaseError:
            logger.exception("delivery_not_settled", delivery_id=str(delivery.pk))  # its claim expires: made again

    def _attempt(self, delivery: Delivery) -> None:
        structlog.contextvars.clear_contextvars()
        began = time.monotonic()
        try:
            write = partial(self._write, delivery)
            attempts.attempt(delivery, self._client, write=write, database=self._database)
        except Exception as error:
            if not self._outage.noted(error):  # else its claim expires: it is made again
                logger.exception("delivery_crashed", delivery_id=str(delivery.pk))
                self._give_back(delivery)
        finally:
            self._traffic.leave(delivery.receiver, seconds=time.monotonic() - began)
            self._wake.set()
