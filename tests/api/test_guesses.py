"""The limits of wrong passwords hold however many are tried at the same time."""

import http.client
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from teckochecker.access.password_guesses import LONGEST_ATTEMPT_SECONDS, Limit
from tests.api import live
from tests.api.conftest import JOBS, PASSWORD
from tests.api.test_passwords import basic

MOST, CALLS = 5, 24


@pytest.fixture
def name(transactional_db: None) -> str:
    """Of a user whose password takes its time, as in production, and whom no other test has tried."""
    name = f"boss-{os.getpid()}-{time.monotonic_ns()}"
    User.objects.create(username=name, is_superuser=True, password=PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6))
    return name


@pytest.fixture(scope="module")
def port(processes: None, django_db_setup: None) -> Iterator[int]:
    with live.web_server(TECKO_LOGIN_ATTEMPTS=str(MOST), TECKO_LOGIN_LOCKOUT_SECONDS="600") as (port, _):
        yield port


def call(port: int, name: str, password: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
        line.request("GET", JOBS, headers={"Authorization": basic(password, name=name)["HTTP_AUTHORIZATION"]})
        with line.getresponse() as answer:
            return answer.status


def test_no_more_wrong_passwords_are_looked_at_than_the_limit_says(port: int, name: str) -> None:
    with ThreadPoolExecutor(CALLS) as pool:
        answers = Counter(pool.map(lambda number: call(port, name, f"guess {number}"), range(CALLS)))
    assert answers == {401: MOST, 429: CALLS - MOST}
    assert call(port, name, PASSWORD) == 429


def test_right_passwords_at_the_same_time_are_all_let_in(port: int, name: str) -> None:
    with ThreadPoolExecutor(CALLS) as pool:
        assert Counter(pool.map(lambda _: call(port, name, PASSWORD), range(CALLS))) == {200: CALLS}


def attempts(limit: Limit, count: int, *, wrong: bool) -> int:
    """How many were let through."""
    start = threading.Barrier(count)

    def attempt(_: int) -> bool:
        start.wait()
        begun = limit.begin()
        if begun:
            time.sleep(0.02)
            begun.end(wrong=wrong)
        return begun is not None

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(attempt, range(count)))


@pytest.mark.parametrize("lock", [True, False])
def test_attempts_at_the_same_time_are_all_counted(lock: bool) -> None:
    assert attempts(Limit("test", most=MOST, seconds=60, lock=lock), CALLS, wrong=True) == MOST
    assert attempts(Limit("test", most=MOST, seconds=60, lock=lock), CALLS, wrong=True) == 0


def test_an_attempt_that_was_right_leaves_nothing() -> None:
    limit = Limit("test", most=MOST, seconds=60)
    assert attempts(limit, CALLS, wrong=False) == CALLS
    assert attempts(limit, CALLS, wrong=True) == MOST


def test_the_attempts_of_a_process_that_was_killed_are_given_back() -> None:
    limit = Limit("test", most=1, seconds=60, lock=True)
    assert limit.begin()
    with time_machine.travel(time.time() + LONGEST_ATTEMPT_SECONDS + 1):
        assert limit.begin()


def test_a_lock_holds_so_long_after_the_last_and_a_limit_as_long_as_too_many_are_so_new(settings: Any) -> None:
    lock, limit = (Limit(f"test-{lock}", most=2, seconds=60, lock=lock) for lock in (True, False))
    now = float(round(time.time()))  # another day's counters would be tidied away at some of the looks
    for seconds in (0, 50):
        with time_machine.travel(now + seconds, tick=False):
            for each in (lock, limit):
                begun = each.begin()
                assert begun
                begun.end(wrong=True)
    with time_machine.travel(now + 70, tick=False):
        assert (lock.seconds_left(), limit.seconds_left()) == (40, 0)
    with time_machine.travel(now + 111, tick=False):
        assert (lock.seconds_left(), limit.seconds_left()) == (0, 0)
