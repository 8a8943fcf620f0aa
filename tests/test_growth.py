"""The helper of the growth tests tells linear from quadratic."""

import re

import pytest

from tests.growth import grows_linearly


def test_a_linear_reader_passes() -> None:
    grows_linearly(lambda text: [ord(character) for character in text], "x".__mul__, size=200_000)


def test_a_quadratic_pattern_fails() -> None:
    with pytest.raises(AssertionError, match="faster than the text"):
        grows_linearly(re.compile(r"\s+$").search, lambda size: " " * size + "x", size=8000)


def test_a_quadratic_reader_that_refuses_fails_too() -> None:
    def read(text: str) -> None:
        for place in range(len(text)):
            text.count("y", place)
        raise ValueError

    with pytest.raises(AssertionError, match="faster than the text"):
        grows_linearly(read, "x".__mul__, size=16_000, refusals=(ValueError,))
