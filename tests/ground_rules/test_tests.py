"""Tests meet the real thing: nothing of our own packages is replaced in them, and what they import is there."""

import ast
import importlib
import importlib.util
import re

from tests.ground_rules.code import APPS, BASE_DIR, Source, names_from, root_name, sources, tracked

# Folders of tests that are about the product as a whole, or about what belongs to no folder of its code
CROSS_CUTTING = frozenset(
    {"acceptance", "admin", "api", "bench", "browser", "docs", "examples", "ground_rules", "kinds", "security"}
)
REPLACING = frozenset({"patch", "object", "setattr", "delattr", "multiple"})


def replacements(source: Source) -> list[str]:
    ours = names_from(source, APPS)
    calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and node.args]
    return [source.where(call) for call in calls if _replaces(call) and _is_ours(call.args[0], ours)]


def _replaces(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in REPLACING
    return isinstance(call.func, ast.Name) and call.func.id == "patch"


def _is_ours(target: ast.AST, ours: set[str]) -> bool:
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return target.value.split(".")[0] in APPS
    return root_name(target) in ours


def test_no_test_replaces_a_part_of_ours() -> None:
    assert [place for source in sources("tests") for place in replacements(source)] == []


def test_the_rule_sees_a_replacement() -> None:
    imported = "from polling.sweep import sweeper\n"
    assert replacements(Source("tests/x.py", "mock.patch('polling.sweep.sweeper.run')"))
    assert replacements(Source("tests/x.py", f"{imported}monkeypatch.setattr(sweeper, 'run', None)"))
    assert replacements(Source("tests/x.py", f"{imported}with mock.patch.object(sweeper.Sweeper, 'run'): pass"))
    assert not replacements(Source("tests/x.py", "monkeypatch.setattr(time, 'sleep', None)"))


def lost_imports(source: Source) -> list[str]:
    """What the code that a test hands to another process imports of ours, and is not there."""
    ours = re.compile(rf"^ *from ((?:{'|'.join(APPS)}|tests)[\w.]*) import ([\w, ]+)", re.MULTILINE)
    texts = [node.value for node in ast.walk(source.tree) if isinstance(node, ast.Constant)]
    found = [line for text in texts if isinstance(text, str) and "\n" in text for line in ours.findall(text)]
    each = [(module, name.split(" as ")[0].strip()) for module, names in found for name in names.split(",")]
    return [f"{source.path}: {module}.{name}" for module, name in each if not _is_there(module, name)]


def _is_there(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name) or bool(importlib.util.find_spec(f"{module}.{name}"))
    except ImportError:
        return False


def test_code_that_tests_start_imports_what_there_is() -> None:
    files = [source for source in sources("tests") if not source.path.startswith("tests/ground_rules/")]  # has samples
    assert [lost for source in files for lost in lost_imports(source)] == []


def test_the_rule_sees_an_import_that_is_lost() -> None:
    lost = Source("tests/x.py", r'CODE = "\nfrom polling.gone import it"')
    assert lost_imports(lost) == ["tests/x.py: polling.gone.it"]
    assert not lost_imports(Source("tests/x.py", r'CODE = "\nfrom polling.sweep import sweeper, watchdog"'))


def made_twice(source: Source, names: set[str]) -> list[str]:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    return [source.where(function) for function in functions if function.name in names]


def test_what_tests_are_made_of_is_made_in_one_place() -> None:
    factories = next(source for source in sources("tests") if source.path == "tests/factories.py")
    names = {node.name for node in factories.tree.body if isinstance(node, ast.FunctionDef)}
    others = [source for source in sources("tests") if source.path not in (factories.path, "tests/conftest.py")]
    assert {"make_job", "make_secret", "tgz"} <= names
    assert [place for source in others for place in made_twice(source, names)] == []


def astray(paths: list[str]) -> set[str]:
    """Folders below ``tests`` that have no namesake in the product."""
    folders = {path.rpartition("/")[0].removeprefix("tests/") for path in paths if path.count("/") > 1}
    return {name for name in folders if name.split("/")[0] not in CROSS_CUTTING and not (BASE_DIR / name).is_dir()}


def test_tests_lie_in_the_folder_that_is_named_like_the_code_they_are_about() -> None:
    assert astray([path for path in tracked() if path.startswith("tests/")]) == set()


def test_the_rule_sees_a_folder_that_has_no_namesake() -> None:
    paths = [
        "tests/growth.py",
        "tests/api/deep/test_x.py",
        "tests/polling/jobs/test_x.py",
        "tests/polling/gone/test_x.py",
    ]
    assert astray(paths) == {"polling/gone"}


def test_the_rule_sees_what_is_made_twice() -> None:
    assert made_twice(Source("tests/x.py", "def tgz(): pass\ndef other(): pass"), {"tgz"}) == ["tests/x.py:1"]
