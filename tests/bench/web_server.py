"""Requests a second of this web server, and of another checkout's, in turn in one run, each on its own empty database.

Also the processor time of a request, which says more on a busy machine.

python -m tests.bench.web_server [--other CHECKOUT --other-command "-m gunicorn -c python:teckochecker.web.server
    teckochecker.wsgi"] [--clients 8] [--seconds 10] [--rounds 3]
"""

import argparse
import contextlib
import http.client
import os
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from teckochecker.setup import home as setup
from teckochecker.web.server import PROCESSES

HERE = Path(__file__).resolve().parents[2]
TOKEN = """
from django.contrib.auth.models import User
from secrets_app.access.models import ApiToken
print(ApiToken.objects.create(User.objects.create_superuser("bench"), scope="read")[1])
"""
PATHS = ("/api/health", "/api/custom-checks")


def environ(home: str, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TECKO_", "PROMETHEUS"))}
    own = {"TECKO_HOME": home, "TECKO_PORT": str(port), "DJANGO_SETTINGS_MODULE": "teckochecker.settings"}
    (Path(home) / "metrics").mkdir(exist_ok=True)
    own |= {"PROMETHEUS_MULTIPROC_DIR": f"{home}/metrics", "TECKO_REQUESTS_PER_MINUTE": "1000000"}
    setup.ensure(Path(home), {})
    return kept | own


@contextlib.contextmanager
def running(checkout: Path, command: str) -> Iterator[tuple[int, str, list[int]]]:
    """Its port, a token and the processes."""
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        port, fd = listener.getsockname()[1], listener.fileno()
        env = environ(home, port)
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "prepare", "--silent"], cwd=checkout, env=env, check=True, stdout=subprocess.DEVNULL)
        made = subprocess.run(
            [*manage, "shell", "--no-imports", "-c", TOKEN], cwd=checkout, env=env, check=True, capture_output=True
        )
        if command:  # it opens its own socket, and its own processes
            listener.close()
            argvs = [[sys.executable, *shlex.split(command)]]
        else:
            argvs = [[sys.executable, "-m", "teckochecker.web.server", "--fd", str(fd)]] * PROCESSES
        pids = []
        for argv in argvs:
            log = stack.enter_context(tempfile.TemporaryFile())
            files = () if command else (fd,)
            process = subprocess.Popen(argv, cwd=checkout, env=env, stderr=log, pass_fds=files)
            pids.append(process.pid)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        for _ in range(100):
            with contextlib.suppress(OSError):
                ask(http.client.HTTPConnection("127.0.0.1", port, timeout=10), PATHS[0], "")
                break
            time.sleep(0.2)
        yield port, made.stdout.decode().strip(), pids


def processor_seconds(pids: list[int]) -> float:
    """Of the processes and their children until now."""
    family = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children())]
    return sum(times.user + times.system for times in (process.cpu_times() for process in family))


def ask(line: http.client.HTTPConnection, path: str, token: str) -> float:
    began = time.perf_counter()
    line.request("GET", path, headers={"Authorization": f"Token {token}"} if token else {})
    answer = line.getresponse()
    answer.read()
    assert answer.status in (200, 503), answer.status  # no sweep runs here
    return time.perf_counter() - began


def load(port: int, token: str, path: str, *, clients: int, seconds: float) -> list[float]:
    """How long each request took."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def client() -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
            while time.monotonic() < end:
                taken.append(ask(line, path, token))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--other", type=Path)
    parser.add_argument("--other-command", default="")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = {"this": stack.enter_context(running(HERE, ""))}
        if options.other:
            servers["other"] = stack.enter_context(running(options.other, options.other_command))
        for path in PATHS:
            costs: dict[str, list[float]] = {name: [] for name in servers}
            for number in range(1, options.rounds + 1):
                for name, (port, token, pids) in servers.items():
                    before = processor_seconds(pids)
                    taken = load(port, token, path, clients=options.clients, seconds=options.seconds)
                    costs[name].append((processor_seconds(pids) - before) / len(taken) * 1000)
                    rate, slow = len(taken) / options.seconds, statistics.quantiles(taken, n=20)[-1]
                    told = f"{rate:6.1f} a second, 95 % within {slow:.3f} s, {costs[name][-1]:.2f} ms of processor each"
                    print(f"{path} round {number} {name:5}: {told}")
            print(path, "processor ms:", {name: round(statistics.median(found), 2) for name, found in costs.items()})


if __name__ == "__main__":
    main()
