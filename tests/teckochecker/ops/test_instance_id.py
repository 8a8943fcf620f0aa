"""An instance is named once for its home on its machine; copies of either have names of their own."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from teckochecker.ops.instance_id import instance_id


def test_a_home_keeps_its_id_wherever_it_is_moved(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = instance_id(home)
    home.rename(tmp_path / "moved")
    assert first == instance_id(tmp_path / "moved")
    assert len(first) == 10
    assert int(first, 16) >= 0


def test_a_copy_of_a_home_gets_an_id_of_its_own_and_the_original_keeps_its(tmp_path: Path) -> None:
    first = instance_id(tmp_path / "home")
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    assert first != instance_id(tmp_path / "copy")
    assert first == instance_id(tmp_path / "home")


def test_a_cloned_machine_gets_an_id_of_its_own_and_the_original_keeps_its(tmp_path: Path) -> None:
    first = instance_id(tmp_path, machine="one")
    clone = instance_id(tmp_path, machine="two")
    assert first != clone
    assert (instance_id(tmp_path, machine="one"), instance_id(tmp_path, machine="two")) == (first, clone)


def test_processes_that_start_at_once_agree_on_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(partial(instance_id, machine="m"), [tmp_path / "home"] * 64))
    assert len(set(found)) == 1
