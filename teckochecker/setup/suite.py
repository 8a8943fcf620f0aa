"""``script/test`` after the set-up: the linters, then pytest."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from teckochecker.setup import indexes, virtualenv
from teckochecker.setup.progress import SetupFailed, quietly, say, stage

LINTER_LINES = 300


def run(base: Path, *, workers: int, fast: bool, pytest_arguments: Sequence[str]) -> int:
    """The exit code. Narrowed by arguments, pytest runs alone."""
    _allow_indexes(base)
    failed = [] if pytest_arguments else _lint(base)
    started = time.monotonic()
    parallel = ["-n", str(workers), "--dist", "loadgroup"] if workers > 1 else []
    chosen = ["--fast"] if fast else []
    argv: list[str | Path] = [virtualenv.python(base), "-m", "pytest", *parallel, *chosen, *pytest_arguments]
    code = subprocess.run(argv, cwd=base, check=False).returncode
    say(f"pytest took {time.monotonic() - started:.0f} s")
    if failed:
        say(f"Failed before the tests: {', '.join(failed)}")
    return code or int(bool(failed))


def _allow_indexes(base: Path) -> None:
    """A package index inside the operator's own network is an exception that the operator would have listed."""
    private = indexes.private_addresses(virtualenv.python(base), os.environ)
    if private:
        words = [*os.environ.get("TECKO_EGRESS_ALLOW", "").replace(",", " ").split(), *private]
        os.environ["TECKO_EGRESS_ALLOW"] = ",".join(dict.fromkeys(words))
        say(f"  Package indexes at non-public addresses: TECKO_EGRESS_ALLOW={os.environ['TECKO_EGRESS_ALLOW']}")


def _lint(base: Path) -> list[str]:
    """The names of the steps that failed; all of them run."""
    python = virtualenv.python(base)
    steps: dict[str, Sequence[str | Path]] = {
        "ruff check": [python, "-m", "ruff", "check", base],
        "ruff format": [python, "-m", "ruff", "format", "--check", base],
        "mypy": [python, "-m", "mypy"],
        "migrations": [python, base / "manage.py", "makemigrations", "--check", "--dry-run"],
        "deployment check": [python, base / "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    }
    return [name for name, argv in steps.items() if not _passes(name, argv)]


def _passes(name: str, argv: Sequence[str | Path]) -> bool:
    try:
        with stage(name):
            quietly(argv, tail=LINTER_LINES)
    except SetupFailed as error:
        say(str(error))
        return False
    return True
