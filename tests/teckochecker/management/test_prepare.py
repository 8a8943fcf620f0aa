"""``manage.py prepare``, and ``manage.py serve`` as a real process in a home of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from customchecks.sandbox.sandbox import Sandbox
from teckochecker.ops import instance_id
from teckochecker.setup import home
from tests import instances
from tests.ground_rules.code import BASE_DIR


@dataclass
class Instance:
    place: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        home.ensure(self.place, {})
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TECKO_", "DATABASE_"))}
        self.environ = inherited | {"TECKO_HOME": str(self.place), "TECKO_PORT": str(self.port)}

    def manage(self, *words: str) -> str:
        argv = [sys.executable, BASE_DIR / "manage.py", *words]
        done = subprocess.run(argv, env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/admin/login/", timeout=5).close()
            return True
        return False

    def log(self, name: str) -> str:
        return (self.place / "logs" / f"{name}.log").read_text()

    def processes(self) -> list[int]:
        """Every process with this home in its environment."""
        mine, found = f"TECKO_HOME={self.place}\0".encode(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mine in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found


@pytest.fixture
def instance(processes: None, tmp_path: Path) -> Iterator[Instance]:
    place = tmp_path / "home"
    yield Instance(place)
    instances.dismantle(instances.record(instance_id.instance_id(place)))


@contextlib.contextmanager
def serving(instance: Instance) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, BASE_DIR / "manage.py", "serve"]
    process = subprocess.Popen(argv, env=instance.environ, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not instance.answers():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_password_of_the_first_user_is_shown_once(instance: Instance) -> None:
    assert "User admin, password " in instance.manage("prepare")
    assert "password" not in instance.manage("prepare")


def test_static_files_are_collected_only_when_they_changed(instance: Instance) -> None:
    assert "Static files … collected" in instance.manage("prepare")
    assert "Static files … as before" in instance.manage("prepare")
    (instance.place / "static" / ".state").write_text("other files")
    assert "Static files … collected" in instance.manage("prepare")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_web_server_and_cluster(instance: Instance, number: int) -> None:
    instance.manage("prepare")
    with serving(instance) as process:
        process.send_signal(number)
        output, _ = process.communicate(timeout=45)
    assert process.returncode == 0
    assert f"http://127.0.0.1:{instance.port}/admin/" in output
    assert instance.processes() == []
    lines = [line for name in ("web", "cluster") for line in instance.log(name).splitlines()]
    assert lines
    assert all(line.startswith("{") for line in lines)


def test_a_second_server_on_the_same_home_is_refused(instance: Instance) -> None:
    instance.manage("prepare")
    with serving(instance) as process:
        argv = [sys.executable, BASE_DIR / "manage.py", "serve"]
        second = subprocess.run(argv, env=instance.environ, capture_output=True, text=True, timeout=60)
    assert second.returncode == 1
    assert f"(process {process.pid})" in second.stderr


@pytest.mark.engine
def test_a_dismantled_instance_has_no_network(instance: Instance) -> None:
    sandbox = Sandbox(instance=instance_id.instance_id(instance.place))
    sandbox.reap([], now=datetime.now(UTC))
    before = sandbox.status().network
    instance.manage("dismantle", "--yes")
    after = sandbox.status().network
    sandbox.close()
    assert before is not None and before.present
    assert after is not None and not after.present


def test_an_instance_is_not_dismantled_under_its_server(instance: Instance) -> None:
    argv = [sys.executable, BASE_DIR / "manage.py", "dismantle", "--yes"]
    with home.server_lock(instance.place):
        done = subprocess.run(argv, env=instance.environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Stop it first" in done.stderr) == (1, True)


def test_a_silent_set_up_shows_no_password(instance: Instance) -> None:
    assert "password" not in instance.manage("prepare", "--silent")
