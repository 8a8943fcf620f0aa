"""Tests meet the real thing: nothing of our own packages is replaced in them."""

import ast

from tests.ground_rules.code import APPS, Source, names_from, root_name, sources

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
    imported = "from polling import sweeper\n"
    assert replacements(Source("tests/x.py", "mock.patch('polling.sweep.sweeper.run')"))
    assert replacements(Source("tests/x.py", f"{imported}monkeypatch.setattr(sweeper, 'run', None)"))
    assert replacements(Source("tests/x.py", f"{imported}with mock.patch.object(sweeper.Sweeper, 'run'): pass"))
    assert not replacements(Source("tests/x.py", "monkeypatch.setattr(time, 'sleep', None)"))
