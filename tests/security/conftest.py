from collections.abc import Iterator

import pytest

from customchecks.engine import Engine
from customchecks.sandbox import Sandbox
from tests.security import boxes


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[str, Sandbox]]:
    instance, sandbox = boxes.instance_sandbox()
    yield instance, sandbox
    sandbox.dismantle()
    sandbox.close()


@pytest.fixture
def sandbox(made: tuple[str, Sandbox]) -> Sandbox:
    return made[1]


@pytest.fixture
def instance(made: tuple[str, Sandbox]) -> str:
    return made[0]
