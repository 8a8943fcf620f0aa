"""Engines of other ages, and what is no engine: which version is spoken, and what is said where none can be."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from customchecks.docker import api_version
from customchecks.docker.engine import Engine, EngineMismatch, EngineUnavailable
from tests.customchecks.cli.conftest import Cli

LAST_SPOKEN = api_version.text(api_version.NEWEST)
minors = st.integers(min_value=12, max_value=99)


def told(oldest: str, newest: str) -> dict[str, str]:
    return {"Version": "1.2.3", "MinAPIVersion": oldest, "ApiVersion": newest}


class Foreign(ThreadingUnixStreamServer):
    """An engine that speaks ``oldest`` to ``newest``; the paths that it was asked for are in ``asked``."""

    daemon_threads = True

    def __init__(self, path: Path, oldest: str, newest: str, *, body: bytes | None = None) -> None:
        self.oldest, self.newest, self.body = oldest, newest, body
        self.asked: list[str] = []
        super().__init__(str(path), Handler)

    def answer(self, path: str) -> tuple[int, Any]:
        if path == "/version":
            return 200, told(self.oldest, self.newest)
        spoken = path.split("/")[1].removeprefix("v")
        if float(spoken) < float(self.oldest):
            wanted = f"Minimum supported API version is {self.oldest}"
            return 400, {"message": f"client version {spoken} is too old. {wanted}, please upgrade your client"}
        return 200, {"ServerVersion": "1.2.3"}


class Handler(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, answer = self.server.answer(self.path)
        body = self.server.body if self.server.body is not None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'engine.sock'}")
    return tmp_path / "engine.sock"


@contextlib.contextmanager
def foreign(place: Path, oldest: str, newest: str, *, body: bytes | None = None) -> Iterator[Foreign]:
    with Foreign(place, oldest, newest, body=body) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield server
        finally:
            server.shutdown()


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    with contextlib.closing(Engine(timeout=5)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("oldest", "newest", "spoken"),
    [("1.12", "1.41", "1.41"), ("1.24", "1.51", "1.41"), ("1.44", "1.52", "1.44"), ("1.44", "1.99", "1.44")],
)
def test_the_oldest_version_that_both_know_is_spoken(place: Path, oldest: str, newest: str, spoken: str) -> None:
    with foreign(place, oldest, newest) as server, engine() as opened:
        opened.info()
    assert server.asked[-1] == f"/v{spoken}/info"


@given(minors, minors)
def test_what_is_spoken_is_known_to_both_or_refused(one: int, other: int) -> None:
    oldest, newest = sorted((one, other))
    try:
        major, minor = map(int, api_version.choose(told(f"1.{oldest}", f"1.{newest}")).split("."))
    except EngineMismatch:
        assert newest < api_version.OLDEST[1] or oldest > api_version.NEWEST[1]
    else:
        assert api_version.OLDEST <= (major, minor) <= api_version.NEWEST
        assert oldest <= minor <= newest


@pytest.mark.parametrize(
    ("oldest", "newest", "sentence", "remedy"),
    [
        ("1.12", "1.40", "is too old: it speaks its API up to version 1.40", "Update Docker Engine to 20.10"),
        ("1.70", "1.80", f"is too new: it speaks its API from version 1.70 on, and only {LAST_SPOKEN}", "Update Tecko"),
    ],
)
def test_doctor_says_of_an_engine_of_another_age_what_to_update(
    cli: Cli, tmp_path: Path, oldest: str, newest: str, sentence: str, remedy: str
) -> None:
    with foreign(tmp_path / "engine.sock", oldest, newest):
        ended = cli("doctor", "--json", DOCKER_HOST=f"unix://{tmp_path / 'engine.sock'}")
    (finding,) = (finding for finding in ended.json["findings"] if finding["name"] == "engine")
    assert ended.code == 5
    assert f"Docker Engine 1.2.3 {sentence}" in finding["detail"]
    assert remedy in finding["remedy"]
    assert "Start" not in finding["remedy"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"ApiVersion": "x", "MinAPIVersion": 3}'])
def test_what_answers_without_a_version_is_no_engine(place: Path, body: bytes) -> None:
    with foreign(place, "1.41", "1.41", body=body), engine() as opened, pytest.raises(EngineMismatch) as raised:
        opened.info()
    assert str(raised.value).startswith("What answers is no Docker Engine")
    assert raised.value.remedy.startswith("Look at DOCKER_HOST")


def test_an_engine_that_was_updated_meanwhile_is_asked_in_its_new_version(place: Path) -> None:
    with foreign(place, "1.24", "1.51") as server, engine() as opened:
        opened.info()
        server.oldest = "1.44"
        with pytest.raises(EngineMismatch, match="too old"):
            opened.info()
        opened.info()
    assert server.asked[-1] == "/v1.44/info"


# The SDK leaves sockets that cannot connect to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_socket_that_is_not_there_is_a_reason_to_start_the_engine(place: Path) -> None:
    with engine() as opened, pytest.raises(EngineUnavailable) as raised:
        opened.info()
    assert raised.value.remedy == f"Start the engine at DOCKER_HOST=unix://{place}, or unset it."


def test_an_engine_that_hangs_is_not_to_be_started(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        with contextlib.closing(Engine(timeout=1)) as opened, pytest.raises(EngineUnavailable) as raised:
            opened.info()
    assert "did not answer in time" in str(raised.value)
    assert "journalctl" in raised.value.remedy


def test_an_engine_is_asked_directly_whatever_the_environment_says_of_proxies(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/version").respond_with_json(told(LAST_SPOKEN, LAST_SPOKEN))
    httpserver.expect_request(f"/v{LAST_SPOKEN}/info").respond_with_json({"ServerVersion": "1.2.3"})
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{httpserver.port}")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    engine = Engine(timeout=5)
    assert engine.info() == {"ServerVersion": "1.2.3"}
    engine.close()
