"""OpenAI and Keboola as far as this product knows them, on real sockets."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from polling.channels import keboola
from polling.http.client import GuardedClient
from polling.jobs import claims
from polling.openai import service as jobs
from polling.openai.check import OpenAIRunner
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from polling.sending import attempts
from tests.factories import make_secret

OPENAI_KEY, KEBOOLA_TOKEN = "sk-the-key-of-openai", "the-token-of-keboola"


@dataclass
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Service:
    """``answer`` gets each call and gives a status code and a body."""

    url: str
    answer: Callable[[Call], tuple[int, Any]]
    calls: list[Call] = field(default_factory=list)


@contextlib.contextmanager
def serving(answer: Callable[[Call], tuple[int, Any]]) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path, headers, json.loads(body) if body else None)
            service.calls.append(call)
            status, answered = service.answer(call)
            content = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = Service(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class FakeOpenAI:
    """What it says of each batch, one word or status code a call; the last one again and again."""

    said: dict[str, list[str | int]]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call) -> tuple[int, Any]:
        batch_id = call.path.rpartition("/")[2]
        with self.lock:
            words = self.said[batch_id]
            word = words.pop(0) if len(words) > 1 else words[0]
        if isinstance(word, int):
            return word, {"error": {"message": f"no, {call.headers['authorization']}"}}
        return 200, {"id": batch_id, "object": "batch", "status": word}


@dataclass
class FakeKeboola:
    """Answers with these status codes, the last one again and again."""

    answers: list[int]

    def __call__(self, call: Call) -> tuple[int, Any]:
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, {"id": "4711", "status": "created"} if status < 300 else {"error": "no"}


def make_polling_job(*batch_ids: str, stack_url: str = "https://connection.example.com", **columns: Any) -> PollingJob:
    given = {
        "name": "nightly",
        "keboola_stack_url": stack_url,
        "keboola_component_id": "kds.app",
        "keboola_configuration_id": "42",
        "keboola_secret_id": make_secret("keboola", KEBOOLA_TOKEN, kind="keboola").pk,
        **columns,
    }
    return jobs.create_job(
        given,
        batch_ids=batch_ids or ("batch_1",),
        openai_secret_id=make_secret("openai", OPENAI_KEY, kind="openai").pk,
        user=User.objects.create_superuser("owner"),
    )


def check(job: PollingJob) -> PollingJob:
    """One check of the job, as the sweep runs it, at the time when it is due."""
    now = max(timezone.now(), job.next_check_at or timezone.now())
    ((claimed, claim),) = claims.claim_due(PollingJob, host="test", now=now, fits=lambda _: True)
    runner = OpenAIRunner(backoff=(0, 0))
    assert claims.record(claim, runner.check(claimed, claim), now=now)
    job.refresh_from_db()
    return job


def call_keboola(now: datetime) -> list[Delivery]:
    """Makes the calls that are due at this moment."""
    due = Delivery.objects.due(now).filter(channel=keboola.NAME)
    claimed = Delivery.objects.claim(due.values_list("pk", flat=True), now=now)
    for delivery in claimed:
        attempts.attempt(delivery, GuardedClient.from_settings(), now=now)
    return claimed
