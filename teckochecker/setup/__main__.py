"""``script/server`` and ``script/test``: the same set-up, then the server or the suite."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from teckochecker.setup import dockerd, home, packages, preflight, suite, virtualenv
from teckochecker.setup.progress import SetupFailed, say, stage

BASE_DIR = home.BASE_DIR
PROGRAMS = (("git", "git"),)
ENGINE_UNAVAILABLE = 5  # of the command line, which has told why
TEST_PROGRAMS = (
    *(*PROGRAMS, ("curl", "curl"), ("chromium", "chromium"), ("pg_ctlcluster", "postgresql")),
    ("libatomic", "libatomic1"),  # the browser tests' own Node needs it
)
WORKERS = 3
ENGINE_CLIENT = (("docker", "docker-cli"),)


def main(command: str, arguments: Sequence[str]) -> int:
    try:
        return {"server": server, "test": test}[command](arguments)
    except SetupFailed as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130


def server(arguments: Sequence[str]) -> int:
    options = _server_parser().parse_args(arguments)
    place = _use_home(BASE_DIR / "var")
    _demand(place, serving=True)
    set_up(place, development=False, may_install=not options.no_engine_install, programs=PROGRAMS)
    python = str(virtualenv.python(BASE_DIR))
    # The supervisor takes this process over, so that whoever started it stops it
    os.execv(python, [python, str(BASE_DIR / "manage.py"), "serve", *(["--demo"] if options.demo else [])])  # noqa: S606


def test(arguments: Sequence[str]) -> int:
    options, pytest_arguments = _test_parser().parse_known_args(arguments)
    place = _use_home(BASE_DIR / "var" / "test")
    _demand(place, serving=False)
    if options.fast:
        set_up(place, development=True, engine=False, programs=PROGRAMS)
    else:
        set_up(place, development=True, may_install=not options.no_engine_install, programs=TEST_PROGRAMS)
    return suite.run(BASE_DIR, workers=options.workers, fast=options.fast, pytest_arguments=pytest_arguments)


def set_up(
    place: Path,
    *,
    development: bool,
    programs: tuple[tuple[str, str], ...],
    engine: bool = True,
    may_install: bool = False,
) -> None:
    started = time.monotonic()
    say(f"Setting up TeckoChecker in {place}")
    virtualenv.ensure(BASE_DIR, development=development, environ=os.environ)
    with stage("Home folder") as remarks:
        remarks += home.ensure(place, os.environ) or ["there"]
    packages.ensure(programs)
    if engine and dockerd.ensure(home=place, may_install=may_install, environ=os.environ):
        _runner_images()
    if engine and development:
        packages.ensure(ENGINE_CLIENT)  # after the engine, whose package brings it up to Debian 12
    if _manage("prepare", *(["--silent"] if development else [])):  # nobody logs in to the tests' instance
        raise SetupFailed("The database could not be prepared; the lines above say why.")
    say(f"Set up in {time.monotonic() - started:.1f} s")


def _runner_images() -> None:
    """Without them the server still serves: its checks say what is missing."""
    started = time.monotonic()
    say("  Runner images")
    # Its progress is on stderr; its stdout is for programs
    code = _manage("customcheck", "build-images", stdout=subprocess.DEVNULL)
    if code == 0:
        say(f"  Runner images ready ({time.monotonic() - started:.1f} s)")
    elif code == ENGINE_UNAVAILABLE:
        say("  Checks will be marked “engine unavailable”, for the reason above.")
    else:
        say("  Checks will be marked “image missing”. Remedy: .venv/bin/python manage.py customcheck build-images")


def _manage(*words: str, stdout: int | None = None) -> int:
    argv: list[str | Path] = [virtualenv.python(BASE_DIR), BASE_DIR / "manage.py", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=stdout, check=False).returncode


def _use_home(default: Path) -> Path:
    """Every process that we start shall see the same folder."""
    place = home.folder(os.environ, default=default)
    os.environ["TECKO_HOME"] = str(place)
    return place


def _demand(place: Path, *, serving: bool) -> None:
    lacks = preflight.lacks(home=place, environ=os.environ, serving=serving)
    if lacks:
        raise SetupFailed("\n".join(map(str, lacks)))


def _server_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/server",
        description="Sets TeckoChecker up where needed, then runs web server and cluster until Ctrl-C or SIGTERM.",
        epilog="Settings: TECKO_HOME (var/), TECKO_HOST (127.0.0.1), TECKO_PORT (8000), DATABASE_URL; all of them are "
        "described in docs/operations.md.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="also start a webhook receiver and a job that reports to it",
    )
    _add_engine_option(parser)
    return parser


def _test_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/test",
        description="Sets TeckoChecker up for development where needed, then runs the linters and the whole suite "
        "against a real Docker Engine. Every other argument goes to pytest, and then the linters are left out: "
        "script/test tests/polling -k claim",
        epilog="TECKO_HOME defaults to var/test here, so that your own data stays as it is.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=WORKERS,
        metavar="N",
        help=f"pytest processes (default {WORKERS}); one runs the engine tests, and mostly waits",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="leave out the tests that need the engine, a browser or other processes, and set none of that up",
    )
    _add_engine_option(parser)
    return parser


def _add_engine_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-engine-install", action="store_true", help="never install Docker Engine with apt")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
