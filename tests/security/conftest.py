from collections.abc import Iterator

import pytest

from customchecks.docker.engine import Engine
from customchecks.sandbox.sandbox import Sandbox
from tests import private_engine
from tests.private_engine import PrivateEngine
from tests.security import boxes


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()


@pytest.fixture(scope="session")
def own_engine() -> Iterator[PrivateEngine]:
    """An engine whose packet rules nobody else has."""
    with private_engine.started() as found:
        yield found


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
