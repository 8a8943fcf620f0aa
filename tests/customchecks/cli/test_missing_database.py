"""A database that is not there is one line, which names it and what to do, in every command."""

from pathlib import Path

import pytest

from tests.hosts import Host

pytestmark = pytest.mark.usefixtures("processes")

NOWHERE = "postgres://watcher:geheim@127.0.0.1:1/watched"
OURS = [("customcheck", "list"), ("rotate_keys",), ("serve",), ("qcluster",)]
DJANGOS = [("createsuperuser", "--noinput", "--username", "x", "--email", "x@example.com"), ("migrate",)]


def said(host: Host, *words: str) -> str:
    done = host.run(*words)
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    return line


@pytest.mark.parametrize("words", OURS + DJANGOS, ids=lambda words: words[0])
def test_a_server_that_does_not_answer_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    line = said(Host(tmp_path, NOWHERE), *words)
    assert "the PostgreSQL database watched at 127.0.0.1:1" in line
    assert "correct DATABASE_URL" in line
    assert "geheim" not in line


@pytest.mark.parametrize("words", OURS, ids=lambda words: words[0])
def test_a_file_without_tables_is_one_line_that_thinks_of_a_forgotten_setting(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    line = said(Host(tmp_path, ""), *words)
    assert str(tmp_path / "teckochecker.sqlite3") in line
    assert "Run manage.py prepare. DATABASE_URL is not set here" in line
