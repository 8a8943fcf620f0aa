"""What a machine lacks for a test."""

import os
from typing import NoReturn

import pytest


def say(reason: str) -> NoReturn:
    """A skip on a laptop, a failure in CI."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
