"""A whole TeckoChecker of its own: home, port, database, web server, cluster and Docker containers."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from teckochecker.ops import instance_id
from teckochecker.setup import home as setup
from tests import instances
from tests.factories import tgz

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "correct-horse-battery"
KEPT = ("TECKO_EGRESS_ALLOW", "TECKO_CA_BUNDLE", "TECKO_PIP_INDEX_URL", "TECKO_NPM_REGISTRY")


class Receiver:
    """Webhooks that arrived, in order: (headers, body)."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Instance:
    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.name = instances.record(instance_id.instance_id(home))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TECKO_") or name in KEPT},
            "TECKO_HOME": str(home),
            "TECKO_PORT": str(self.port),
            "TECKO_WEBHOOK_ALLOW": "127.0.0.0/8",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "DJANGO_SETTINGS_MODULE": "teckochecker.settings",
            **settings,
        }
        self.environ.pop("DATABASE_URL", None)
        self.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        self.server: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", auth=("tester", PASSWORD), timeout=30)

    def manage(self, *words: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, REPOSITORY / "manage.py", *words],
            env=self.environ, input=stdin, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def prepare(self) -> None:
        setup.ensure(self.home, {})
        self.manage("prepare")
        self.manage("createsuperuser", "--noinput", "--username", "tester", "--email", "t@example.com")

    def start(self) -> None:
        with (self.home / "screen.log").open("ab") as screen:
            self.server = subprocess.Popen(
                [sys.executable, REPOSITORY / "manage.py", "serve"],
                env=self.environ, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, start_new_session=True,
            )  # fmt: skip
        wait_for(self._answers, seconds=60, what="the web server")

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/api/health").status_code == 200
        return False

    def stop(self) -> float:
        """Returns how many seconds it took."""
        began = time.monotonic()
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(60)
        return time.monotonic() - began

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with contextlib.closing(sqlite3.connect(self.home / "teckochecker.sqlite3", timeout=20)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(sql, values).fetchall()
            database.commit()
            return rows

    def create(self, script: str | Mapping[str, str], **config: Any) -> int:
        """A job made over the API of a ``main.py``, or of several files; returns its id."""
        files = {"main.py": script} if isinstance(script, str) else script
        body = {
            "name": "acceptance",
            "script_source_type": "upload",
            "script_runtime": "python",
            "check_params": {},
            "poll_interval_seconds": 10,
            **config,
        }
        answer = self.client.post(
            "/api/custom-checks", data={"config": json.dumps(body)}, files={"script": ("script.tgz", tgz(files))}
        )
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def logs(self, job_id: int) -> list[dict[str, Any]]:
        """The oldest first."""
        return list(reversed(self.client.get(f"/api/custom-checks/{job_id}/logs").json()["logs"]))

    def job(self, job_id: int) -> dict[str, Any]:
        return dict(self.client.get(f"/api/custom-checks/{job_id}").json())

    def wait_for_status(self, job_id: int, status: str, *, seconds: float = 60) -> dict[str, Any]:
        wait_for(lambda: self.job(job_id)["status"] == status, seconds=seconds, what=f"job {job_id} {status}")
        return self.job(job_id)

    def containers(self, *, all_states: bool = True, purpose: str = "") -> list[str]:
        """Ids of this instance's containers, in all states or only the running ones, of all purposes or one."""
        labels = [f"label=teckochecker.instance={self.name}"]
        labels += [f"label=teckochecker.purpose={purpose}"] if purpose else []
        filters = [word for label in labels for word in ("--filter", label)]
        words = ["docker", "ps", "-q", *filters, *(["-a"] if all_states else [])]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()

    def sweeping_pid(self) -> int | None:
        rows = self.rows("SELECT pid FROM sweep_leases WHERE sweep_id IS NOT NULL")
        return int(rows[0]["pid"]) if rows else None


@contextlib.contextmanager
def running(home: Path, **settings: str) -> Iterator[Instance]:
    instance = Instance(home, **settings)
    try:
        instance.prepare()
        instance.start()
        yield instance
    finally:
        instance.client.close()
        instance.stop()
        instances.dismantle(instance.name)


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> float:
    """Returns how many seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what} did not come in {seconds} s"
        time.sleep(0.1)
    return time.monotonic() - began
