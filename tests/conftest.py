"""Rules for the whole suite: who may be skipped, what shares the engine, how many tests used it."""

import functools
import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from customchecks.jobs.models import CustomCheckJob
from secrets_app.models import Secret
from teckochecker.setup import dockerd
from tests import absent, factories, instances, needs, postgresql

LONGEST_ID = 40
LONGEST_BYTES_ID = 8
_ENGINE = "needs the engine"
MADE_UP_CALLS = "calls of the API that were made up"
MEASURED = "measured"
_LEFT_OUT = "tests that --fast leaves out"
_used_engine: list[str] = []
_left_out: Counter[str] = Counter()
_made_up_calls: list[int] = []
_measured: list[str] = []


@functools.cache
def _engine_answer() -> dockerd.Answer:
    return dockerd.ask(os.environ)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help=f"leave out the tests that need {', '.join(needs.SLOW)}")


def pytest_configure() -> None:
    """Else every process that a test starts ignores what a shell does for its background: ``script/test &``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_sessionstart(session: pytest.Session) -> None:
    instances.record(settings.TECKO_INSTANCE)
    if not hasattr(session.config, "workerinput") and _engine_answer() is dockerd.Answer.READY:
        instances.dismantle_dead()


def pytest_collection_finish() -> None:
    """Thousands of tests stay for the whole session: nobody need look through them for garbage again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def httpserver_listen_address() -> tuple[str, int]:
    """By number: ``localhost`` is the IPv6 loopback first on some machines, where nobody listens."""
    return ("127.0.0.1", 0)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    for item in items:
        needs.mark(item)
    if config.getoption("--fast"):
        _left_out.update(needs.leave_out(items, config))
    for item in items:
        if item.get_closest_marker("engine"):
            item.user_properties.append((_ENGINE, True))
            # What two tests measure and reap at once in one instance is nobody's; those of the sandbox make their own
            item.add_marker(pytest.mark.xdist_group("engine"))
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))
        if "postgresql_server" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group("postgresql"))  # one server for all of them


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with needs.watching(item):
        return (yield)


@pytest.fixture
def make_secret(db: None) -> Callable[..., Secret]:
    return factories.make_secret


@pytest.fixture
def make_job(db: None) -> Callable[..., CustomCheckJob]:
    return factories.make_job


@pytest.fixture(scope="session")
def processes() -> None:
    """For whoever starts Python: see ``needs.py``."""


@pytest.fixture(scope="session")
def postgresql_server(processes: None) -> Iterator[postgresql.Server]:
    with postgresql.running() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: postgresql.Server) -> str:
    """An empty database's ``DATABASE_URL``; where the server was stopped it runs again."""
    postgresql_server.ensure()
    return postgresql_server.new_database()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values are often random or dated, and then two processes would not agree on the names of the tests."""
    if isinstance(val, bytes | str) and len(val) > (LONGEST_ID if isinstance(val, str) else LONGEST_BYTES_ID):
        return f"{argname}-{len(val)}"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is missing is a skip on a laptop and a failure in CI."""
    if item.get_closest_marker("engine") and _engine_answer() is not dockerd.Answer.READY:
        absent.say(f"Docker Engine {_engine_answer().value}")
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        absent.say("There is no chromium: apt-get install chromium")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and (_ENGINE, True) in map(tuple, report.user_properties):
        _used_engine.append(report.nodeid)
    if report.when == "teardown":
        _measured.extend(str(line) for name, line in report.user_properties if name == MEASURED)
        _made_up_calls.extend(int(count) for name, count in report.user_properties if name == MADE_UP_CALLS)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_LEFT_OUT] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every process has the same list of tests."""
    _left_out.update(node.workeroutput.get(_LEFT_OUT, {}) if not _left_out and hasattr(node, "workeroutput") else {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"Tests that used the Docker Engine: {len(_used_engine)}")
    if _left_out:
        parts = ", ".join(f"{count} that need {name}" for name, count in sorted(_left_out.items()))
        terminalreporter.write_line(f"Tests that --fast left out: {_left_out.total()} ({parts})")
    if _made_up_calls:
        terminalreporter.write_line(f"Calls that schemathesis made up: {sum(_made_up_calls)}")
    for line in _measured:
        terminalreporter.write_line(line)
