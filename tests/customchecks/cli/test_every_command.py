"""Every command is in the manual, and in a test that runs it as a process."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from customchecks.cli.app import app

RUNNERS = ("cli", "following")  # the fixtures that start processes
MANUAL = settings.BASE_DIR / "docs" / "cli.md"


def walk(below: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in below.registered_commands:
        yield (*path, command.name)
    for group in below.registered_groups:
        yield from walk(group.typer_instance, (*path, group.name or group.typer_instance.info.name))


COMMANDS = sorted(set(walk(app)))


def run_as_processes() -> set[tuple[str, ...]]:
    """The words with which tests call one of the fixtures, as far as they are written there."""
    found: set[tuple[str, ...]] = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        tuples = dict(assigned_tuples(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and started_by(node.func) in RUNNERS:
                found.add(tuple(words(node.args, tuples)))
    return found


def started_by(function: ast.expr) -> str:
    """``cli`` of ``cli(…)`` and of ``cli.start(…)``."""
    if isinstance(function, ast.Attribute) and function.attr == "start":
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def assigned_tuples(tree: ast.Module) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value.elts


def words(arguments: list[ast.expr], tuples: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Until the first that is only known when the test runs."""
    for argument in arguments:
        if isinstance(argument, ast.Starred):
            inner = argument.value
            elements = inner.elts if isinstance(inner, ast.Tuple) else tuples.get(getattr(inner, "id", ""), [])
            found = list(words(elements, tuples))
            yield from found
            if len(found) < len(elements) or not elements:
                return
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
        else:
            return


def test_the_commands_are_seen() -> None:
    assert {("create",), ("test",), ("deps", "list"), ("secret", "set"), ("polling-job", "pause")} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_in_the_manual(command: tuple[str, ...]) -> None:
    assert f"`{' '.join(command)}" in MANUAL.read_text(), f"docs/cli.md does not have `{' '.join(command)}`."


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_run_as_a_process(command: tuple[str, ...]) -> None:
    run = {called[: len(command)] for called in run_as_processes()}
    assert command in run, f"No test in tests/customchecks/cli calls cli({', '.join(map(repr, command))}, …)."


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_has_help_with_an_example(command: tuple[str, ...], here: Any) -> None:
    ended = here(*command, "--help")
    assert ended.code == 0
    assert f"manage.py customcheck {' '.join(command)}" in ended.out, "Its help has no example."
