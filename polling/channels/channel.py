"""What a channel is: one way on which deliveries go, such as a webhook. A row of ``registry`` names each of them."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

from django.utils import timezone

from polling.http.exchanges import Answer, Client
from polling.outbox import retries
from polling.outbox.deliveries import Delivery, Outcome
from polling.outbox.signatures import BadKey
from polling.outbox.templates import TemplateError
from secrets_app.masking.masker import Masker
from secrets_app.references import SecretMissing

# Their messages are safe to show, and a later attempt may do better
UNPREPARED = (SecretMissing, BadKey, TemplateError)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A delivery with its secrets in it, ready to be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False)
    maskers: Iterable[Masker] = field(repr=False)
    started_at: datetime
    _began: float = field(init=False, default_factory=time.monotonic)

    def exchange(self, client: Client) -> Answer:
        """Raises RequestRefused and ExchangeFailed."""
        return client.send(self.method, self.url, headers=self.headers, body=self.body, params=self.query)

    def unanswered(self, error: str, *, retry: bool, unknown: bool = False) -> Outcome:
        spent = round((time.monotonic() - self._began) * 1000)
        error = self._masked(error)
        return Outcome(started_at=self.started_at, duration_ms=spent, error=error, retry=retry, unknown=unknown)

    def answered(self, answer: Answer, *, error: str, retry: bool, unknown: bool = False) -> Outcome:
        """``error`` is what is said of an answer that is not a 2xx."""
        return Outcome(
            started_at=self.started_at,
            duration_ms=answer.elapsed_ms,
            status_code=answer.status,
            error="" if 200 <= answer.status < 300 else error,
            answer=self._masked(_storable(answer.body)),
            retry=retry,
            unknown=unknown,
            retry_after=retries.retry_after(answer.headers, now=timezone.now()),
        )

    def _masked(self, text: str) -> str:
        return reduce(lambda masked, masker: masker.text(masked), self.maskers, text)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One way on which deliveries go.

    ``prepare`` makes the call of a delivery at a time; it may use the database and raises UNPREPARED. ``send`` makes
    the call, during which no connection to the database is held. ``addresses`` tells whether what is to be sent to a
    URL goes this way.
    """

    name: str
    prepare: Callable[[Delivery, datetime], Call]
    send: Callable[[Call, Client], Outcome]
    addresses: Callable[[str], bool] = lambda _: False
    # Said of a call whose outcome was not seen, and which is not made again: its receiver would act on it twice.
    # Empty where the receiver can tell a call from its repetition.
    made_once: str = ""
    # The job that owed a call hears of every attempt, by ``ScheduledJob.call_settled``
    job_waits: bool = False

    @property
    def repeatable(self) -> bool:
        return not self.made_once


def _storable(body: bytes) -> str:
    return body.decode(errors="replace").replace("\0", "\ufffd")
