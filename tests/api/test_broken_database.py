"""The real web server on a database that is locked, full or away: 503, when to try again, and who reads goes on."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgresql, tmpfs
from tests.api.live import web_server
from tests.hosts import Host

MAKE_TOKEN = """
from django.contrib.auth.models import User
from secrets_app.access.models import ApiToken
print(ApiToken.objects.create(User.objects.create_superuser("root", password="x"), scope="admin")[1])
"""
FORM = {"username": "root", "password": "x"}


class Web:
    def __init__(self, port: int, token: str) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._client.headers["Authorization"] = f"Token {token}"
        self._names = (f"secret {number}" for number in itertools.count())
        self.close = self._client.close

    def read(self) -> httpx.Response:
        return self._client.get("/api/custom-checks")

    def health(self) -> httpx.Response:
        return self._client.get("/api/health", headers={"Authorization": ""})

    def store(self) -> httpx.Response:
        secret = {"name": next(self._names), "type": "openai", "value": "v" * 5000}
        return self._client.post("/api/admin/secrets", json=secret)

    def log_in(self) -> httpx.Response:
        """A page, which writes a session."""
        page = self._client.get("/admin/login/")
        form = FORM | {"csrfmiddlewaretoken": page.cookies["csrftoken"]}
        return self._client.post("/admin/login/", data=form, headers={"Referer": str(page.url)})


@contextlib.contextmanager
def serving(home: Path, url: str) -> Iterator[Web]:
    host = Host(home, url, {"DJANGO_SETTINGS_MODULE": "teckochecker.settings"})
    host.manage("prepare", "--silent")
    token = host.manage("shell", "--no-imports", "-c", MAKE_TOKEN).strip()
    with web_server(TECKO_HOME=str(home), DATABASE_URL=url) as (port, _):
        web = Web(port, token)
        try:
            yield web
        finally:
            web.close()


def told(answer: httpx.Response) -> tuple[int, bool, Any]:
    return answer.status_code, answer.headers.get("Retry-After", "").isdigit(), answer.json().get("detail")


@pytest.mark.usefixtures("processes")
def test_a_locked_database_answers_503_to_who_writes_and_everything_to_who_reads(tmp_path: Path) -> None:
    file = tmp_path / "db.sqlite3"
    with serving(tmp_path / "home", f"sqlite:///{file}?timeout=1") as web:
        assert web.store().status_code == 201
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert told(web.store()) == (503, True, "The database is busy: another process holds it.")
            assert web.read().status_code == 200
            page = web.log_in()
            assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
            assert "Retry-After" in page.headers and "another process holds it" in page.text


@pytest.mark.usefixtures("processes")
def test_a_full_disk_answers_503_to_who_writes_until_there_is_room(tmp_path: Path) -> None:
    small = tmp_path / "small"
    database = f"sqlite:///{small / 'db.sqlite3'}"
    with tmpfs.mounted(small, megabytes=8), serving(tmp_path / "home", database) as web:
        tmpfs.fill(small)
        refused = next(answer for answer in (web.store() for _ in range(200)) if answer.status_code != 201)
        assert told(refused)[:2] == (503, True)
        assert "is full" in told(refused)[2]
        assert web.read().status_code == 200
        tmpfs.empty(small)
        assert web.log_in().status_code == 302


def test_a_postgresql_that_is_away_answers_503_until_it_is_back(
    tmp_path: Path, postgresql_server: postgresql.Server, postgresql_url: str
) -> None:
    with serving(tmp_path, postgresql_url) as web:
        assert web.read().status_code == 200
        postgresql_server.stop()
        try:
            assert told(web.read()) == told(web.store()) == (503, True, "The database does not answer.")
            answer = web.health()
            assert (answer.status_code, answer.json()["reasons"]) == (503, ["The database does not answer."])
            assert (web.log_in().status_code, web.read().headers["Content-Type"]) == (503, "application/json")
        finally:
            postgresql_server.start()
        assert web.read().status_code == 200
