from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.instance import Instance, Receiver, running


@pytest.fixture(scope="session")
def instance(processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    home: Path = tmp_path_factory.mktemp("home")
    with running(home) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()
