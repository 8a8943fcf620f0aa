"""100 due checks through the whole system against the same 100 containers in a plain loop over the Docker SDK.

Both sides run the same script in the same hardened container with the same launcher, in turn, in one run. The loop is
given its best concurrency first. Prints both times, their ratio (loop / system; 1 means that database, sweep, masking
and logs cost nothing) and the checks a second.

    python -m tests.bench.throughput [--checks 100] [--rounds 3]
"""

import argparse
import json
import os
import secrets
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
import docker

from customchecks.docker import hardening
from customchecks.docker.engine import Engine
from customchecks.images import current
from customchecks.sandbox import stream
from tests.acceptance.instance import Instance, running, wait_for
from tests.factories import tgz

SCRIPT = 'print(\'{"status": "PENDING"}\')'
CANDIDATES = (2, 4, 6, 8, 12, 16)


class PlainLoop:
    """What one would write by hand: create, attach, start, talk, wait, remove."""

    def __init__(self) -> None:
        self.api = docker.APIClient(version="auto", timeout=60, max_pool_size=64, **docker.utils.kwargs_from_env())
        self.image = current.current("python", engine=Engine())
        self.network = next(net["Name"] for net in self.api.networks() if net["Name"].startswith("teckochecker-"))
        self.archive = tgz({"main.py": SCRIPT})

    def check(self, _: int) -> None:
        body = hardening.container(
            hardening.Spec(image=self.image, network=self.network, memory_mb=512, cpu_cores=0.5),
            labels={"teckochecker.bench": "1"},
        )
        container = self.api.create_container_from_config(body)["Id"]
        try:
            connection = self.api.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self.api.start(container)
            self._talk(connection._sock)
            connection.close()
            self.api.wait(container)
        finally:
            self.api.remove_container(container, force=True)

    def _talk(self, connection: object) -> None:
        key = secrets.token_bytes(32)
        frame = stream.request_frame(
            key=key, timeout_seconds=60, argv=("python3", "main.py"), env={}, archive=self.archive, files={}
        )
        reply = stream.exchange(connection, frame, deadline=time.monotonic() + 60)
        answer = reply.answer(key)
        assert answer is not None, reply.diagnostics
        assert json.loads(answer.stdout.head) == {"status": "PENDING"}

    def seconds(self, checks: int, concurrency: int) -> float:
        began = time.monotonic()
        with ThreadPoolExecutor(concurrency) as threads:
            list(threads.map(self.check, range(checks)))
        return time.monotonic() - began


def system_seconds(instance: Instance, checks: int) -> float:
    before = logged(instance)
    instance.rows("UPDATE custom_check_jobs SET next_check_at = strftime('%Y-%m-%d %H:%M:%f', 'now')")
    return wait_for(lambda: logged(instance) - before >= checks, seconds=120, what="the checks")


def logged(instance: Instance) -> int:
    return int(instance.rows("SELECT count(*) AS n FROM custom_check_logs")[0]["n"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checks", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as instance:
        for _ in range(options.checks):
            instance.create(SCRIPT, poll_interval_seconds=86400)
        wait_for(lambda: logged(instance) >= options.checks, seconds=180, what="the first checks")
        loop = PlainLoop()
        tried = {concurrency: loop.seconds(40, concurrency) for concurrency in CANDIDATES}
        best = min(tried, key=lambda concurrency: tried[concurrency])
        print("plain loop, 40 checks:", {each: round(seconds, 2) for each, seconds in tried.items()}, "best:", best)
        ratios = []
        for number in range(1, options.rounds + 1):
            plain, system = loop.seconds(options.checks, best), system_seconds(instance, options.checks)
            ratios.append(plain / system)
            print(
                f"round {number}: loop {plain:.2f} s, system {system:.2f} s, ratio {plain / system:.2f}, "
                f"{options.checks / system:.1f} checks a second"
            )
        print(f"median ratio {statistics.median(ratios):.2f} (at least 0.9 wanted)")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    main()
