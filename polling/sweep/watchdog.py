"""Proves again and again that a task goes through the queue: a cluster can live and yet run nothing.

django-q2's workers read from one pipe, under one lock: who is killed while holding it (the idle one that waits holds it
always) leaves a lock that nobody can take any more, and a cluster that looks well.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections
from django_q.models import Task
from django_q.tasks import async_task

from polling.base import clock
from polling.sweep.models import QueueProof
from teckochecker.kit import database_errors

logger = structlog.get_logger(__name__)

TASK = "polling.tasks.prove"
EVERY_SECONDS = 30.0
ALLOWED_SECONDS = 30.0  # through broker, pusher, worker and monitor it takes about one


@dataclass
class _Asked:
    task_id: str
    at: float


class Watchdog:
    """``look`` is called about once a second."""

    def __init__(
        self,
        host: str,
        *,
        every: float = EVERY_SECONDS,
        allowed: float = ALLOWED_SECONDS,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._every = every
        self._allowed = allowed
        self._steady = steady
        self._asked: _Asked | None = None
        self._proved = steady()

    def look(self) -> bool:
        """False when a task did not go through. A database that is away says nothing about the queue."""
        try:
            return self._look()
        except (DatabaseError, InterfaceError) as error:
            close_old_connections()
            if database_errors.trouble(error) is None:
                logger.exception("queue_not_proved")
            if self._asked:
                self._asked.at = self._steady()
            return True

    def _look(self) -> bool:
        now = self._steady()
        if self._asked is None:
            if now - self._proved >= self._every:
                self._ask(now)
            return True
        if self._is_done(self._asked):
            self._asked, self._proved = None, now
            return True
        return now - self._asked.at < self._allowed

    def _ask(self, now: float) -> None:
        task_id = async_task(TASK, task_name="prove")
        self._asked = _Asked(task_id, now)
        QueueProof.objects.update_or_create(host=self._host, defaults={"asked_at": clock.wall()})

    def _is_done(self, asked: _Asked) -> bool:
        """The row is the monitor's, the last one on a task's way."""
        done, _ = Task.objects.filter(pk=asked.task_id).delete()
        if done:
            QueueProof.objects.filter(host=self._host).update(proved_at=clock.wall())
        return bool(done)
