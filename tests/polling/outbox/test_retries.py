"""When a call is made again."""

from datetime import datetime, timedelta

import pytest

from polling.outbox import retries

NOW = datetime.fromisoformat("2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("9" * 5000, 3600),
        ("86400", 3600),
        ("Fri, 02 Jan 2026 03:06:05 GMT", 120),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("Sat, 03 Jan 2026 03:00:00 GMT", 3600),
        ("Fri, 02 Jan 2026 03:06:05 -0000", 120),
    ],
)
def test_a_receiver_can_ask_for_a_time(value: str, seconds: int) -> None:
    assert retries.retry_after({"Retry-After": value}, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "٣", "Fri, 99 Jan 2026 03:06:05 GMT"])
def test_a_wish_that_makes_no_sense_is_no_wish(value: str) -> None:
    assert retries.retry_after({"Retry-After": value}, now=NOW) is None


def test_a_wish_puts_off_and_never_hastens() -> None:
    wish = timedelta(seconds=120)
    assert retries.next_attempt(1, now=NOW, retry_after=wish) == NOW + wish
    assert retries.next_attempt(5, now=NOW, retry_after=wish) >= NOW + timedelta(seconds=1620)


def test_long_waits_are_spread_and_quick_ones_are_not() -> None:
    assert {retries.next_attempt(3, now=NOW) for _ in range(20)} == {NOW + timedelta(seconds=4)}
    assert len({retries.next_attempt(4, now=NOW) for _ in range(20)}) > 1
