"""The processor time that a command takes, of this checkout or of several, side by side.

    python tests/bench/commandline.py [--home HOME] [CHECKOUT]...

Each checkout runs with its own ``.venv``; ``HOME`` is a folder that ``script/server`` or ``script/test`` has set up.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
RUNS = 9
COMMANDS = (
    ("customcheck", "--help"),
    ("customcheck", "create", "--help"),
    ("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck list --st"),
    ("shellcompletion", "--shell", "bash", "complete", "manage.py customcheck show n"),
    ("customcheck", "list"),
    ("customcheck", "list", "--json"),
    ("customcheck", "show", "no-such-job"),
    ("customcheck", "secret", "list"),
    ("customcheck", "group", "list"),
    ("customcheck", "polling-job", "list"),
    ("customcheck", "deliveries", "list"),
    ("customcheck", "token", "list"),
    ("customcheck", "logs", "no-such-job"),
    ("customcheck", "pause", "no-such-job"),
    ("customcheck", "export"),
    ("customcheck", "deps", "list"),
    ("customcheck", "versions", "no-such-job"),
)


def seconds(checkout: Path, words: tuple[str, ...], home: Path) -> float:
    """Of user and system time in one process."""
    argv = [str(checkout / ".venv" / "bin" / "python"), str(checkout / "manage.py"), *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, env=os.environ | {"TECKO_HOME": str(home)}, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=HERE / "var" / "test")
    parser.add_argument("checkouts", nargs="*", type=Path, default=[HERE])
    options = parser.parse_args()
    for words in COMMANDS:
        taken: dict[Path, list[float]] = {checkout: [] for checkout in options.checkouts}
        for _ in range(RUNS):  # in turn, so that a busy machine slows all of them down
            for checkout in options.checkouts:
                taken[checkout].append(seconds(checkout.resolve(), words, options.home.resolve()))
        medians = [statistics.median(of_one) for of_one in taken.values()]
        cells = [f"{median:.2f} s" for median in medians] + [f"{median / medians[0]:.2f}" for median in medians[1:]]
        print("\t".join((*cells, " ".join(words))))


if __name__ == "__main__":
    sys.exit(main())
