"""What a person at the terminal sees while the project is set up."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TAIL_LINES = 25


class SetupFailed(Exception):
    """The message says what is missing and the remedy."""


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  the terminal is this package's only output


@contextmanager
def stage(name: str) -> Iterator[list[str]]:
    """One line a stage: its name at once, then the remarks appended to the yielded list and the time it took."""
    remarks: list[str] = []
    started = time.monotonic()
    print(f"  {name} … ", end="", flush=True)  # noqa: T201
    try:
        yield remarks
    except BaseException:
        say("failed")
        raise
    say(f"{', '.join(remarks)} ({time.monotonic() - started:.1f} s)".lstrip())


def quietly(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, tail: int = TAIL_LINES) -> str:
    """The command's output; shown only when it fails. Raises SetupFailed with its last ``tail`` lines."""
    done = subprocess.run(
        [str(word) for word in argv],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-tail:])
        raise SetupFailed(f"{' '.join(map(str, argv))} ended with code {done.returncode}:\n{last}")
    return done.stdout
