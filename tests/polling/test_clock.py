"""Setting the clock is told from time that passes."""

from datetime import timedelta

import pytest

from polling.clock import Clock
from tests.polling.jobs import NOW


@pytest.mark.parametrize("passed", [0.0, 2.0, 3600.0])
@pytest.mark.parametrize("hours", [0, 1, -1, 24 * 365])
def test_a_jump_is_what_the_wall_has_more_than_time_has_passed(passed: float, hours: int) -> None:
    steady = [100.0]
    clock = Clock(steady=lambda: steady[0])
    assert clock.jump(NOW) == timedelta(0)
    steady[0] += passed
    set_to = NOW + timedelta(hours=hours, seconds=passed)
    assert clock.jump(set_to) == timedelta(hours=hours)
    assert clock.jump(set_to) == timedelta(0)


def test_a_clock_that_drifts_has_not_been_set() -> None:
    clock = Clock(steady=lambda: 0.0)
    clock.jump(NOW)
    assert clock.jump(NOW + timedelta(seconds=20)) == timedelta(0)
