"""The processor time that a command takes, of this checkout or of several, side by side.

    python tests/bench/commandline.py [--env FILE] [CHECKOUT]...

Each checkout runs with its own ``.venv``, in a home of its own with a job, a polling job and a group named ``bench``;
``FILE`` is the ``.env`` of a home that ``script/server`` or ``script/test`` has set up, and has the keys.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
RUNS = 9
WEBHOOK = ("--webhook-url", "https://hooks.example.com/bench")
FILLED = (
    ("migrate", "--verbosity", "0"),
    ("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.com"),
    ("customcheck", "create", "--name", "bench", "--from", "script", "--runtime", "python", *WEBHOOK),
    ("customcheck", "secret", "create", "openai", "--type", "openai"),
    ("customcheck", "secret", "create", "keboola", "--type", "keboola"),
    (
        *("customcheck", "polling-job", "create", "--name", "bench", "--batch", "batch_1", "--openai-secret", "openai"),
        *("--keboola-secret", "keboola", "--stack-url", "https://connection.keboola.com", "--component", "kds.app"),
        *("--configuration", "1"),
    ),
    ("customcheck", "group", "create", "--name", "bench", "--member", "custom:bench", *WEBHOOK),
)
COMMANDS = (
    ("customcheck", "--help"),
    ("customcheck", "create", "--help"),
    ("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck list --st"),
    ("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck show n"),
    ("customcheck", "list"),
    ("customcheck", "list", "--json"),
    ("customcheck", "show", "bench"),
    ("customcheck", "show", "no-such-job"),
    ("customcheck", "secret", "list"),
    ("customcheck", "group", "list"),
    ("customcheck", "group", "list", "--json"),
    ("customcheck", "group", "show", "bench"),
    ("customcheck", "polling-job", "list"),
    ("customcheck", "polling-job", "list", "--json"),
    ("customcheck", "polling-job", "show", "bench"),
    ("customcheck", "deliveries", "list"),
    ("customcheck", "token", "list"),
    ("customcheck", "logs", "bench"),
    ("customcheck", "pause", "no-such-job"),
    ("customcheck", "export"),
    ("customcheck", "deps", "list"),
    ("customcheck", "versions", "bench"),
)


@dataclass(frozen=True)
class Checkout:
    folder: Path
    home: Path

    def run(self, words: Sequence[str], *, check: bool = False) -> None:
        argv = [str(self.folder / ".venv" / "bin" / "python"), str(self.folder / "manage.py"), *words]
        env = os.environ | {"TECKO_HOME": str(self.home), "DJANGO_SUPERUSER_PASSWORD": "of nobody's"}
        subprocess.run(argv, env=env, cwd=self.home, input=b"a value", capture_output=True, check=check)

    def seconds(self, words: Sequence[str]) -> float:
        """Of user and system time in one process."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def filled(folder: Path, env: Path) -> Iterator[Checkout]:
    """A checkout and its home with something in it."""
    with tempfile.TemporaryDirectory() as home:
        shutil.copy(env, home)
        script = Path(home) / "script"
        script.mkdir()
        (script / "main.py").write_text('print(\'{"status": "PENDING"}\')\n')
        checkout = Checkout(folder.resolve(), Path(home))
        for words in FILLED:
            checkout.run(words, check=True)
        yield checkout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=HERE / "var" / "test" / ".env")
    parser.add_argument("checkouts", nargs="*", type=Path, default=[HERE])
    options = parser.parse_args()
    with ExitStack() as homes:
        compare([homes.enter_context(filled(folder, options.env)) for folder in options.checkouts])


def compare(checkouts: Sequence[Checkout]) -> None:
    for words in COMMANDS:
        taken: list[list[float]] = [[] for _ in checkouts]
        for _ in range(RUNS):  # in turn, so that a busy machine slows all of them down
            for checkout, times in zip(checkouts, taken, strict=True):
                times.append(checkout.seconds(words))
        medians = [statistics.median(times) for times in taken]
        cells = [f"{median:.2f} s" for median in medians] + [f"{median / medians[0]:.2f}" for median in medians[1:]]
        print("\t".join((*cells, " ".join(words))), flush=True)


if __name__ == "__main__":
    sys.exit(main())
