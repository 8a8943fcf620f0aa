"""A second host on one database: refused while its keys are its own, and at work with a copy of the first one's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hosts import BASE_DIR, Host, host, rows, wait_for

PRODUCT = {"DJANGO_SETTINGS_MODULE": "teckochecker.settings"}


@pytest.fixture
def pair(tmp_path: Path, postgresql_url: str) -> Iterator[tuple[Host, Host]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(host(tmp_path / name, postgresql_url)) for name in ("one", "two"))
        first.manage("prepare", "--silent")
        first.prepare()
        yield first, second


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def web_server(second: Host) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "teckochecker.web.server"]
    environ = second.environ | PRODUCT | {"TECKO_PORT": "0", "PYTHONPATH": os.fspath(BASE_DIR)}
    return subprocess.run(argv, env=environ, cwd=BASE_DIR, capture_output=True, text=True, timeout=60)


def test_a_host_with_keys_of_its_own_starts_nothing_and_is_told_what_to_copy(pair: tuple[Host, Host]) -> None:
    _, second = pair
    for words in (("serve",), ("qcluster",), ("prepare", "--silent"), ("rotate_keys",)):
        assert "'k1' of TECKO_KEYS is not the one" in refusal(second.run(*words)), words
    assert "from the first one's .env" in refusal(web_server(second))
    assert "'k1' of TECKO_KEYS is not the one" in second.run("customcheck", "doctor", "--json").stdout


def test_a_host_with_a_copy_of_the_keys_checks_jobs(pair: tuple[Host, Host], postgresql_url: str) -> None:
    first, second = pair
    shutil.copyfile(first.home / ".env", second.home / ".env")
    first.new_jobs(3)
    second.start()
    ended = "SELECT count(*) FROM kinds_scriptedjob WHERE status = 'completed'"
    wait_for(lambda: rows(postgresql_url, ended) == [(3,)], seconds=60, what="the jobs' end")
    second.variables["TECKO_SECRET_KEY"] = "another " * 8
    assert "TECKO_SECRET_KEY is not the one" in refusal(second.run("qcluster"))
