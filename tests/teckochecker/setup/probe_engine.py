"""Run by test_engine in a pytest of its own; the name keeps it out of the suite."""

import pytest


@pytest.mark.engine
def test_it_runs() -> None: ...


def test_it_needs_nothing() -> None: ...
