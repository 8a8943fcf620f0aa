"""Deliveries that run side by side: receivers that are dead, slow or hostile hold up nobody else."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from polling.outbox.deliveries import Delivery, DeliveryStatus
from polling.sending import traffic
from polling.sending.traffic import Traffic
from tests.polling.http import receivers
from tests.polling.http.receivers import Behaviour, receiving
from tests.polling.sending.couriers import owe, wait_until, working

OK = b"HTTP/1.1 200 OK\r\n"


def status(delivery: Delivery) -> str:
    delivery.refresh_from_db()
    return str(delivery.status)


@contextlib.contextmanager
def dead(number: int) -> Iterator[list[str]]:
    """Receivers that take a connection and never say a word: nobody accepts."""
    with contextlib.ExitStack() as open_sockets:
        listeners = [open_sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        yield [f"http://127.0.0.1:{listener.getsockname()[1]}/" for listener in listeners]


@pytest.mark.django_db(transaction=True)
def test_two_hundred_dead_receivers_delay_no_good_one_by_five_seconds() -> None:
    with working() as courier, receiving(receivers.answer()) as good, dead(200) as urls:
        for url in urls:
            owe(url)
        wait_until(lambda: courier.calls_in_flight >= 200, seconds=15)
        delivery = owe(f"http://127.0.0.1:{good.port}/")
        took = wait_until(lambda: status(delivery) == DeliveryStatus.DELIVERED, seconds=5)
        print(f"delivered after {took:.2f} s; {threading.active_count()} threads")


@pytest.mark.django_db(transaction=True)
def test_checks_and_deliveries_share_neither_slots_nor_connections() -> None:
    with working() as courier, dead(20) as urls:
        for url in urls:
            owe(url)
        wait_until(lambda: courier.calls_in_flight == 20, seconds=10)
        files = [file.path for file in psutil.Process().open_files()]
        assert files.count(str(connection.settings_dict["NAME"])) <= 5


MISBEHAVING: dict[str, tuple[Behaviour, DeliveryStatus, int | None]] = {
    "500": (receivers.answer("500 Oh", b"no"), DeliveryStatus.PENDING, 500),
    "429": (receivers.answer("429 Slow", b"", "Retry-After: 120"), DeliveryStatus.PENDING, 429),
    "400": (receivers.answer("400 Bad"), DeliveryStatus.FAILED, 400),
    "410": (receivers.answer("410 Gone"), DeliveryStatus.GONE, 410),
    "redirect": (
        receivers.answer("302 Found", b"", "Location: http://169.254.169.254/"),
        DeliveryStatus.FAILED,
        302,
    ),
    "silent": (receivers.silent, DeliveryStatus.PENDING, None),
    "slow headers": (receivers.drip(OK, b"X-A: b\r\n"), DeliveryStatus.PENDING, None),
    "slow body": (receivers.drip(OK + b"Content-Length: 9999\r\n\r\n", b"a"), DeliveryStatus.PENDING, None),
    "endless body": (receivers.flood(OK + b"\r\n", b"a" * 65536), DeliveryStatus.DELIVERED, 200),
    "endless headers": (receivers.flood(OK, b"X-A: " + b"b" * 1000 + b"\r\n"), DeliveryStatus.PENDING, None),
    "reset": (receivers.reset, DeliveryStatus.PENDING, None),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("behaviour", MISBEHAVING)
def test_every_behaviour_has_its_outcome(behaviour: str) -> None:
    behave, expected, code = MISBEHAVING[behaviour]
    with receiving(behave) as receiver, working(deadline=1):
        delivery = owe(f"http://127.0.0.1:{receiver.port}/")
        wait_until(lambda: delivery.attempt_rows.exists(), seconds=8)
        row = delivery.attempt_rows.earliest("number")
    assert (status(delivery), row.status_code) == (expected, code)
    assert row.duration_ms < 2000
    assert (row.error == "") == (code == 200)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_comes_back_is_reached_after_the_quick_times() -> None:
    said = iter([receivers.answer("500 Oh"), receivers.reset, receivers.answer("503 Wait"), receivers.answer()])
    with receiving(lambda connection: next(said)(connection)) as receiver, working():
        delivery = owe(f"http://127.0.0.1:{receiver.port}/")
        wait_until(lambda: status(delivery) == DeliveryStatus.DELIVERED, seconds=30)
    rows = list(delivery.attempt_rows.all())
    assert [row.status_code for row in rows] == [500, None, 503, 200]
    waits = [(later.started_at - row.started_at).total_seconds() for row, later in pairwise(rows)]
    assert all(wait >= published for wait, published in zip(waits, (1, 2, 4), strict=True))
    assert len({call.partition(b"webhook-id: ")[2].partition(b"\r\n")[0] for call in receiver.requests}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_wish_for_a_later_attempt_is_granted() -> None:
    with receiving(MISBEHAVING["429"][0]) as receiver, working():
        delivery = owe(f"http://127.0.0.1:{receiver.port}/")
        wait_until(lambda: delivery.attempt_rows.exists(), seconds=5)
    delivery.refresh_from_db()
    assert timedelta(seconds=100) < delivery.next_attempt_at - timezone.now() <= timedelta(seconds=120)


@pytest.mark.django_db(transaction=True)
def test_a_refused_connection_and_a_receiver_without_tls_are_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refusing = listener.getsockname()[1]
    with receivers.listening(receivers.answer()) as plain, working(deadline=1):
        owed = [owe(f"http://127.0.0.1:{refusing}/"), owe(f"https://127.0.0.1:{plain.port}/")]
        wait_until(lambda: all(each.attempt_rows.exists() for each in owed), seconds=8)
    assert [status(each) for each in owed] == [DeliveryStatus.PENDING] * 2
    assert "TLS" in owed[1].last_error


@pytest.mark.django_db(transaction=True)
def test_endless_answers_leave_the_memory_flat() -> None:
    with receiving(receivers.flood(OK + b"\r\n", b"a" * 65536)) as receiver, working(deadline=2):
        first = [owe(f"http://127.0.0.1:{receiver.port}/") for _ in range(8)]
        wait_until(lambda: all(status(each) == DeliveryStatus.DELIVERED for each in first), seconds=15)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        more = [owe(f"http://127.0.0.1:{receiver.port}/") for _ in range(40)]
        wait_until(lambda: all(status(each) == DeliveryStatus.DELIVERED for each in more), seconds=30)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024


@pytest.mark.usefixtures("processes")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["delivery_claimed", "delivery_prepared", "delivery_answered", "delivery_settled"])
def test_a_process_that_is_killed_anywhere_loses_no_delivery_and_no_id(point: str) -> None:
    with receiving(receivers.answer()) as receiver:
        delivery = owe(f"http://127.0.0.1:{receiver.port}/")
        assert run_until_killed(point) == -signal.SIGKILL
        calls = {"delivery_claimed": 0, "delivery_prepared": 0}.get(point, 1)
        assert len(receiver.requests) == calls
        assert status(delivery) == (DeliveryStatus.DELIVERED if point == "delivery_settled" else DeliveryStatus.PENDING)
        Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))  # the 90 seconds of a lost attempt
        with working():
            wait_until(lambda: status(delivery) == DeliveryStatus.DELIVERED, seconds=5)
    ids = {line for call in receiver.requests for line in call.split(b"\r\n") if line.startswith(b"webhook-id")}
    bodies = {call.partition(b"\r\n\r\n")[2] for call in receiver.requests}
    assert (len(ids), len(bodies), delivery.attempt_rows.count()) == (1, 1, 1)
    assert len(receiver.requests) == (2 if point == "delivery_answered" else 1)


def run_until_killed(point: str) -> int:
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "TECKO_CRASH_AT": point,
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.polling.sending.couriers"],
        env=env,
        cwd=Path(__file__).parents[3],
        timeout=60,
        check=False,
    ).returncode


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_our_own_counts_as_an_attempt() -> None:
    delivery = owe("http://127.0.0.1:9/")
    Delivery.objects.filter(pk=delivery.pk).update(body="no JSON")
    with working():
        wait_until(lambda: delivery.attempt_rows.exists(), seconds=5)
    assert (status(delivery), delivery.attempt_rows.first().error[:18]) == ("pending", "TeckoChecker faile")


# Whose turn it is


def test_receivers_take_turns() -> None:
    waiting = [(number, "busy") for number in range(20)] + [(20, "quiet")]
    assert Traffic().choose(waiting) == [0, 20, *range(1, traffic.PLACES_PER_RECEIVER)]


def test_a_receiver_that_was_slow_has_fewer_places_for_a_while() -> None:
    now = [0.0]
    roads = Traffic(clock=lambda: now[0])
    roads.enter("slow")
    roads.leave("slow", seconds=20)
    waiting = [(number, "slow") for number in range(20)]
    assert len(roads.choose(waiting)) == traffic.PLACES_PER_SUSPECT
    now[0] = traffic.SUSPECT_SECONDS + 1
    assert roads.closed() == set()
    assert len(roads.choose(waiting)) == traffic.PLACES_PER_RECEIVER


def test_slow_receivers_together_leave_half_of_the_places() -> None:
    roads = Traffic()
    for number in range(300):
        roads.enter(f"slow-{number}")
        roads.leave(f"slow-{number}", seconds=20)
    chosen = roads.choose([(number, f"slow-{number}") for number in range(300)] + [(300, "good")])
    assert (len(chosen), chosen[-1]) == (traffic.PLACES_FOR_SUSPECTS + 1, 300)
