"""Whether an engine answers, and what a test that needs one does when none does."""

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from teckochecker.setup.dockerd import Answer, ask, ensure, remove_stale_pid
from tests.ground_rules.code import BASE_DIR

NO_ENGINE = "unix:///nonexistent.sock"


@contextmanager
def listening(path: Path, *, status: int) -> Iterator[dict[str, str]]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/_ping" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield {"DOCKER_HOST": f"unix://{path}"}
        server.shutdown()


@pytest.mark.parametrize(("status", "answer"), [(200, Answer.READY), (500, Answer.FAILING)])
def test_an_engine_is_ready_when_its_ping_succeeds(tmp_path: Path, status: int, answer: Answer) -> None:
    with listening(tmp_path / "engine.sock", status=status) as environ:
        assert ask(environ) is answer


@pytest.mark.parametrize("host", [NO_ENGINE, "tcp://127.0.0.1:1", "unix:///etc/hostname"])
def test_an_engine_that_is_not_there_is_silent(host: str) -> None:
    assert ask({"DOCKER_HOST": host}) is Answer.SILENT


def test_without_an_engine_the_set_up_says_what_to_do_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not ensure(home=tmp_path, may_install=False, environ={"DOCKER_HOST": NO_ENGINE})
    assert f"“engine unavailable”. Remedy: start the engine at DOCKER_HOST={NO_ENGINE}" in capsys.readouterr().out


def test_a_pid_file_stays_while_it_names_its_program(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(str(os.getpid()))
    remove_stale_pid(Path("/proc/self/comm").read_text().strip(), file)
    assert file.exists()


@pytest.mark.parametrize("content", ["1", "4194999", "", "nonsense"])
def test_a_pid_file_that_names_another_program_or_none_goes(tmp_path: Path, content: str) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(content)
    remove_stale_pid("dockerd", file)
    assert not file.exists()


def test_a_pid_file_that_is_not_there_is_no_failure(tmp_path: Path) -> None:
    remove_stale_pid("dockerd", tmp_path / "docker.pid")


def probe(**environ: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(Path(__file__).with_name("probe_engine.py"))]
    return subprocess.run(argv, cwd=BASE_DIR, env=inherited | environ, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("processes")
def test_an_engine_test_without_an_engine_is_skipped_on_a_laptop() -> None:
    output = probe(DOCKER_HOST=NO_ENGINE)
    assert "1 passed, 1 skipped" in output
    assert "Tests that used the Docker Engine: 0" in output


@pytest.mark.usefixtures("processes")
def test_an_engine_test_without_an_engine_fails_in_ci() -> None:
    assert "1 passed, 1 error" in probe(DOCKER_HOST=NO_ENGINE, CI="true")


@pytest.mark.usefixtures("processes")
def test_tests_that_used_the_engine_are_counted(tmp_path: Path) -> None:
    with listening(tmp_path / "engine.sock", status=200) as environ:
        output = probe(**environ)
    assert "Tests that used the Docker Engine: 1" in output
    assert output.splitlines()[-1].strip("= ").startswith("2 passed")
