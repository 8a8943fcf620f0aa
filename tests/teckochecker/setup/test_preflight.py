"""The commands as a stranger meets them: real processes that stop before they touch anything."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from teckochecker.setup import home, preflight
from tests.ground_rules.code import BASE_DIR


def run(command: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TECKO_")}
    argv = [BASE_DIR / "script" / command, *arguments]
    return subprocess.run(argv, env=inherited | environ, capture_output=True, text=True, timeout=30)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", ["server", "test"])
def test_help_explains_and_changes_nothing(command: str, tmp_path: Path) -> None:
    done = run(command, "--help", TECKO_HOME=str(tmp_path / "home"))
    assert done.returncode == 0
    assert f"usage: script/{command}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    done = run("server", "--demonstrate", TECKO_HOME=str(tmp_path / "home"))
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_everything_missing_is_said_at_once_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("server", TECKO_HOME=str(tmp_path / "file" / "home"), TECKO_PORT="eighty")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all("Remedy: " in line for line in lines)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8000.0", "80 81"])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    done = run("server", TECKO_HOME=str(tmp_path / "home"), TECKO_PORT=port)
    assert done.returncode == 1
    assert f"TECKO_PORT is {port!r}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_said(tmp_path: Path, busy_port: int) -> None:
    done = run("server", TECKO_HOME=str(tmp_path / "home"), TECKO_PORT=str(busy_port))
    assert done.returncode == 1
    assert f"Port {busy_port} on 127.0.0.1 is in use. Remedy: set TECKO_PORT" in done.stderr


def test_the_port_in_the_env_file_counts_too(tmp_path: Path, busy_port: int) -> None:
    (tmp_path / ".env").write_text(f"TECKO_PORT={busy_port}\n")
    assert f"Port {busy_port}" in run("server", TECKO_HOME=str(tmp_path)).stderr


def test_an_address_of_another_machine_is_said(tmp_path: Path) -> None:
    done = run("server", TECKO_HOME=str(tmp_path), TECKO_HOST="192.0.2.1")
    assert "TECKO_HOST is '192.0.2.1', which is no address of this machine" in done.stderr


def test_a_second_server_on_one_home_is_refused_by_the_first_ones_process_id(tmp_path: Path) -> None:
    with home.server_lock(tmp_path):
        done = run("server", TECKO_HOME=str(tmp_path))
    assert done.returncode == 1
    assert f"already runs on {tmp_path} (process {os.getpid()})" in done.stderr


def test_a_machine_without_a_python_that_is_new_enough_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    argv = ["/bin/sh", BASE_DIR / "script" / "server"]
    done = subprocess.run(argv, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "Remedy: apt-get install python3 python3-venv" in done.stderr


def test_too_little_memory_is_said() -> None:
    assert "has 1.0 GB of memory" in str(next(preflight.memory(10**9)))
    assert list(preflight.memory(preflight.machine_memory())) == []


def test_too_little_disk_is_said_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert "GB of free disk" in str(next(preflight.disk(tmp_path / "a" / "b", needed=10**18)))
    assert list(preflight.disk(tmp_path / "a" / "b", needed=1)) == []


def test_only_linux_will_do() -> None:
    assert "this is darwin" in str(next(preflight.operating_system("darwin")))
