"""Who imports whom: downwards only, one home for each package that talks to the outside."""

import sys
from graphlib import TopologicalSorter

import pytest

from tests.ground_rules.code import (
    APPS,
    KIT,
    LAYERS,
    Source,
    imports,
    imports_in_functions,
    product,
    sources,
)

HOMES = {
    "docker": "customchecks/docker/engine.py",
    "git": "customchecks/git/process.py",
    "requests": "polling/http/client.py",
    "requests_hardened": "polling/http/client.py",
    "cryptography": "secrets_app/crypto.py",
}


def upward(source: Source) -> list[str]:
    allowed = LAYERS[LAYERS.index(layer(source.module)) :]
    names = [(name, node) for name, node in imports(source) if name.split(".")[0] in APPS]
    return [f"{source.where(node)} imports {name}" for name, node in names if layer(name) not in allowed]


def layer(module: str) -> str:
    return KIT if f"{module}.".startswith(f"{KIT}.") else module.split(".")[0]


def strangers(source: Source) -> list[str]:
    """Boundary packages imported outside their home."""
    names = [(name.split(".")[0], node) for name, node in imports(source)]
    return [
        f"{source.where(node)} imports {name}" for name, node in names if HOMES.get(name, source.path) != source.path
    ]


def graph(files: list[Source]) -> dict[str, set[str]]:
    """Module to the modules that it imports, also those that only the type checker follows."""
    modules = {source.module for source in files}
    found: dict[str, set[str]] = {}
    for source in files:
        names = {name if name in modules else name.rpartition(".")[0] for name, _ in imports(source)}
        found[source.module] = (names & modules) - {source.module}
    return found


def folders(modules: dict[str, set[str]]) -> dict[str, set[str]]:
    """Folder to the folders that its modules import from."""
    found: dict[str, set[str]] = {}
    for module, needed in modules.items():
        mine = module.rpartition(".")[0]
        found.setdefault(mine, set()).update({name.rpartition(".")[0] for name in needed} - {mine})
    return found


@pytest.mark.parametrize("source", product(), ids=lambda source: source.path)
def test_imports_point_downwards(source: Source) -> None:
    assert upward(source) == []


@pytest.mark.parametrize("source", product(), ids=lambda source: source.path)
def test_a_boundary_package_is_imported_in_its_home_only(source: Source) -> None:
    assert strangers(source) == []


def test_unfold_is_imported_in_one_module() -> None:
    assert len({s.path for s in product() for name, _ in imports(s) if name.split(".")[0] == "unfold"}) <= 1


def test_no_modules_import_each_other() -> None:
    TopologicalSorter(graph(product())).prepare()


def test_folders_form_layers() -> None:
    TopologicalSorter(folders(graph(product()))).prepare()


def test_no_import_hides_in_a_function() -> None:
    # Django loads apps.py before the models, so what an app does when it is ready is imported then
    files = [source for source in product() if not source.path.endswith("/apps.py")]
    assert [source.where(node) for source in files for node in imports_in_functions(source)] == []


def test_the_setup_needs_nothing_but_the_standard_library() -> None:
    files = [source for source in product() if source.path.startswith("teckochecker/setup/")]
    foreign = {name for s in files for name, _ in imports(s) if name.split(".")[0] not in sys.stdlib_module_names}
    assert files
    assert {name for name in foreign if not name.startswith("teckochecker.setup.")} == set()


def test_what_runs_inside_a_container_imports_nothing_of_ours() -> None:
    launcher = sources("runner_images")
    assert [name for s in launcher for name, _ in imports(s) if name.split(".")[0] in APPS] == []


def test_the_rules_see_what_they_forbid() -> None:
    climbing = Source("polling/x.py", "from customchecks.jobs.models import CustomCheckJob")
    hidden = Source("polling/x.py", "def f():\n    import json")
    assert upward(climbing) == ["polling/x.py:1 imports customchecks.jobs.models.CustomCheckJob"]
    assert strangers(Source("polling/x.py", "import docker.errors")) == ["polling/x.py:1 imports docker"]
    assert len(list(imports_in_functions(hidden))) == 1
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from polling.a import c"
    assert graph([Source("polling/a.py", "from polling import b"), Source("polling/b.py", for_types)]) == {
        "polling.a": {"polling.b"},
        "polling.b": {"polling.a"},
    }
    assert folders({"polling.a.x": {"polling.a.y", "polling.b.x"}}) == {"polling.a": {"polling.b"}}
