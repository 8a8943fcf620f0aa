"""Setting the clock is told from time that passes."""

from datetime import timedelta

import pytest

from polling.base.clock import Clock
from tests.polling.jobs.scripted import NOW


class Watch:
    def __init__(self) -> None:
        self.shown, self.passed = NOW, 100.0
        self.clock = Clock(wall=lambda: self.shown, steady=lambda: self.passed)
        self.clock.take_over()


@pytest.mark.parametrize("passed", [0.0, 2.0, 3600.0])
@pytest.mark.parametrize("hours", [0, 1, -1, 24 * 365])
def test_a_jump_is_what_the_wall_has_more_than_time_has_passed(passed: float, hours: int) -> None:
    watch = Watch()
    watch.passed += passed
    watch.shown += timedelta(hours=hours, seconds=passed)
    assert watch.clock.jump() == timedelta(hours=hours)
    assert watch.clock.now() == NOW + timedelta(seconds=passed)
    watch.clock.take_over()
    assert (watch.clock.jump(), watch.clock.now()) == (timedelta(0), watch.shown)


def test_a_clock_that_drifts_has_not_been_set() -> None:
    watch = Watch()
    watch.shown += timedelta(seconds=20)
    assert watch.clock.jump() == timedelta(0)
