"""How long a delivery to a good receiver takes while others are dead, and what their threads cost.

The dead take connections and never answer, so each attempt lasts its whole 20 seconds, again and again.

    python -m tests.bench.deliveries [--dead 200] [--seconds 60]
"""

import argparse
import os
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import django
import django.core.management
import psutil

from tests.polling.http import receivers


def measure(*, dead: int, seconds: float) -> None:
    # Models can be imported only now
    from tests.polling.sending import couriers

    process = psutil.Process()
    before = process.memory_info().rss
    with ExitStack() as stack:
        good = stack.enter_context(receivers.receiving(receivers.answer()))
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(dead)]
        courier = couriers.Courier(couriers.client())
        for listener in silent:
            couriers.owe(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        courier.start()
        found: list[float] = []
        busiest = threads = memory = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            delivery = couriers.owe(f"http://127.0.0.1:{good.port}/")
            found.append(couriers.wait_until(lambda one=delivery: one.attempt_rows.exists(), seconds=120))  # type: ignore[misc]
            busiest = max(busiest, courier.calls_in_flight)
            threads = max(threads, threading.active_count())
            memory = max(memory, process.memory_info().rss - before)
            time.sleep(1)
        attempts = couriers.DeliveryAttempt.objects.filter(status_code=None).count()
    courier.close()
    found.sort()
    print(f"{dead} dead receivers ({attempts} attempts over, {busiest} in flight): {len(found)} good deliveries")
    print(f"median {found[len(found) // 2]:.2f} s, largest {found[-1]:.2f} s (under 5 s wanted)")
    print(f"at most {threads} threads, {memory / 1024**2:.0f} MiB more than before")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dead", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TECKO_HOME"] = home
        os.environ["DATABASE_URL"] = f"sqlite:///{Path(home) / 'bench.sqlite3'}"
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        django.setup()
        django.core.management.call_command("migrate", verbosity=0, run_syncdb=True)
        measure(dead=options.dead, seconds=options.seconds)


if __name__ == "__main__":
    main()
