"""One check of a polling job: asks OpenAI about every batch that has not ended.

Source: OpenAI's Batch API, ``GET /v1/batches/{batch_id}``.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog
from django.conf import settings

from polling.base.results import Cause, CheckResult, Verdict
from polling.http.addresses import Allowance
from polling.http.client import GuardedClient
from polling.http.exchanges import Answer, ExchangeFailed, RequestRefused
from polling.http.responses import json_object
from polling.jobs.runners import Condition, secret_cause
from polling.jobs.scheduling import Claim
from polling.openai.batches import FINAL, MOST, UNSUCCESSFUL, BatchStatus
from polling.openai.models import PollingJob
from secrets_app import references
from secrets_app.masking import masker as masking

logger = structlog.get_logger(__name__)

BACKOFF_SECONDS = (1.0, 2.0)  # between the three tries
ASK_SECONDS = 10.0  # one try; with the sweep's grace period it ends before a stopping cluster has to

Pause = Callable[[float], bool]


class NotLearnt(Exception):
    """OpenAI said nothing of a batch; the message is safe to show. ``again``: it may at the next try."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again


@dataclass(frozen=True)
class Learnt:
    """What one check found out: statuses by batch id, and a sentence for every batch that stayed unknown."""

    statuses: Mapping[str, BatchStatus]
    problems: tuple[str, ...]


class OpenAIRunner:
    """A ``polling.jobs.runners.Runner``. ``backoff``: seconds between tries."""

    def __init__(self, client: GuardedClient | None = None, *, backoff: tuple[float, ...] = BACKOFF_SECONDS) -> None:
        self._client = client or _client()
        self._backoff = backoff
        self._killed: dict[uuid.UUID, threading.Event] = {}

    def check(self, job: PollingJob, claim: Claim) -> CheckResult:
        began = time.monotonic()
        killed = self._killed.setdefault(claim.claim_id, threading.Event())
        try:
            result = self._check(job, claim, killed)
        except references.SecretMissing as error:
            result = CheckResult(verdict=Verdict.ERROR, cause=secret_cause(error), message=str(error))
        finally:
            self._killed.pop(claim.claim_id, None)
        return replace(result, execution_time_ms=round((time.monotonic() - began) * 1000))

    def memory_mb(self, job: PollingJob) -> int:
        return 0  # no container

    def kill(self, claim: Claim) -> None:
        if killed := self._killed.get(claim.claim_id):
            killed.set()

    def reap(self, live: Collection[str]) -> None:
        """A check leaves nothing behind."""

    def condition(self) -> Condition:
        return Condition()

    def close(self) -> None:
        for killed in list(self._killed.values()):
            killed.set()

    def _check(self, job: PollingJob, claim: Claim, killed: threading.Event) -> CheckResult:
        authorization = {"Authorization": f"Bearer secret_ref:{job.openai_secret_id}"}
        secrets = references.resolve(authorization, job_kind=job.kind, job_id=job.pk, check_id=claim.check_id)
        known = {batch.batch_id: BatchStatus(batch.status) for batch in job.batches.all()}
        open_batches = [batch_id for batch_id, status in known.items() if status not in FINAL]
        with masking.applied(secrets.masker):
            learnt = self._ask(open_batches, secrets.values, killed.wait)
        return _answer(known | dict(learnt.statuses), learnt, secrets.masker)

    def _ask(self, batch_ids: list[str], headers: Mapping[str, str], pause: Pause) -> Learnt:
        statuses: dict[str, BatchStatus] = {}
        problems: list[str] = []
        with ThreadPoolExecutor(MOST, thread_name_prefix="batch") as threads:
            asked = {each: threads.submit(self._status, each, headers, pause) for each in batch_ids}
            for batch_id, future in asked.items():
                try:
                    statuses[batch_id] = BatchStatus.of(future.result())
                except NotLearnt as error:
                    problems.append(f"{batch_id}: {error}")
        return Learnt(statuses, tuple(problems))

    def _status(self, batch_id: str, headers: Mapping[str, str], pause: Pause) -> str:
        """Raises NotLearnt."""
        for seconds in self._backoff:
            try:
                return self._one_try(batch_id, headers)
            except NotLearnt as error:
                if not error.again or pause(seconds):
                    raise
        return self._one_try(batch_id, headers)

    def _one_try(self, batch_id: str, headers: Mapping[str, str]) -> str:
        url = f"{settings.TECKO_OPENAI_URL.rstrip('/')}/v1/batches/{batch_id}"
        try:
            answer = self._client.send("GET", url, headers=headers, body=None)
        except RequestRefused as error:
            raise NotLearnt(str(error), again=not error.permanent) from None
        except ExchangeFailed as error:
            raise NotLearnt(str(error), again=True) from None
        if answer.status != 200:
            again = answer.status == 429 or answer.status >= 500
            raise NotLearnt(f"OpenAI answered {answer.status}.", again=again)
        return _status_in(answer)


def _client() -> GuardedClient:
    allow = Allowance.parse(settings.TECKO_WEBHOOK_ALLOW)
    return GuardedClient(allow=allow, ca_bundle=settings.TECKO_CA_BUNDLE, deadline=ASK_SECONDS)


def _status_in(answer: Answer) -> str:
    status = json_object(answer.body).get("status")
    if not isinstance(status, str):
        raise NotLearnt("OpenAI answered something that is not a batch.", again=True)
    return status


def _answer(known: Mapping[str, BatchStatus], learnt: Learnt, masker: masking.Masker) -> CheckResult:
    data = {"batches": {batch_id: status.value for batch_id, status in learnt.statuses.items()}}
    if learnt.problems:
        logger.warning("batches_not_learnt", problems=len(learnt.problems))
        message = masker.text(" ".join(learnt.problems))
        return CheckResult(verdict=Verdict.ERROR, cause=Cause.SERVICE_FAILED, message=message, data=data)
    running = sum(status not in FINAL for status in known.values())
    failed = sum(status in UNSUCCESSFUL for status in known.values())
    if running:
        message = f"{running} of {len(known)} batches have not ended."
        return CheckResult(verdict=Verdict.PENDING, message=message, data=data)
    message = f"All {len(known)} batches have ended: {len(known) - failed} completed, {failed} did not succeed."
    return CheckResult(verdict=Verdict.FAILED if failed else Verdict.SUCCESS, message=message, data=data)
