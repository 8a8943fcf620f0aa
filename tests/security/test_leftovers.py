"""What killed runs of the suite leave on the engine does not stop the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

from customchecks.docker.engine import Engine, NotFound
from customchecks.network.bridge import EgressNetwork
from tests import instances

pytestmark = pytest.mark.engine


def network(instance: str, engine: Engine) -> EgressNetwork:
    made = EgressNetwork(engine, instance=instance)
    made.ensure()
    return made


def record_of_a_dead_process(instance: str, folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        (folder / f"{instance}.{process.pid}.1").touch()


def test_the_network_of_a_dead_run_is_removed_and_that_of_a_living_one_stays(engine: Engine, tmp_path: Path) -> None:
    dead, living = network(instances.new(), engine), network(instances.new(), engine)
    record_of_a_dead_process(dead.name.rpartition("-")[2], tmp_path)
    record_of_a_dead_process(living.name.rpartition("-")[2], tmp_path)
    instances.record(living.name.rpartition("-")[2], folder=tmp_path)
    assert instances.dismantle_dead(folder=tmp_path) == [dead.name.rpartition("-")[2]]
    with pytest.raises(NotFound):
        engine.network(dead.name)
    assert engine.network(living.name)
    assert living.remove()
    dead.close()
