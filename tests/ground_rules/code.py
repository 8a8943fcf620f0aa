"""The project's own Python files, parsed, and what the rules ask about them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
APPS = ("teckochecker", "customchecks", "polling", "secrets_app")
KIT = "teckochecker.kit"  # what all of them share: the bottom, which imports none of them
LAYERS = (*APPS, KIT)
Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Source:
    """A file; ``path`` is relative to the project."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def where(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 0)}"


def tracked() -> list[str]:
    """Every file of the project, also those not yet committed."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=BASE_DIR, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if (BASE_DIR / path).is_file()]


def sources(*folders: str) -> list[Source]:
    """Python files below the folders, without migrations."""
    names = [path for path in tracked() if path.endswith(".py") and path.split("/")[0] in folders]
    return [Source(path, (BASE_DIR / path).read_text()) for path in names if "/migrations/" not in path]


def product() -> list[Source]:
    return sources(*APPS)


def imports(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Dotted names, one for each thing imported: ``from a.b import c`` is ``a.b.c``."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.where(node)}: relative import"
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def imports_in_functions(source: Source) -> Iterator[ast.AST]:
    for function in ast.walk(source.tree):
        if isinstance(function, Function):
            yield from (node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


def names_from(source: Source, packages: tuple[str, ...]) -> set[str]:
    """The names that the file's imports from these packages bind."""
    found = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {a.asname or a.name.split(".")[0] for a in node.names if a.name.split(".")[0] in packages}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in packages:
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def root_name(node: ast.AST) -> str:
    """``a`` of ``a.b.c``, or an empty string."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
