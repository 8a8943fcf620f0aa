"""``.venv`` follows its lock files, and takes nothing whose hash is another."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from teckochecker.setup import virtualenv
from teckochecker.setup.progress import SetupFailed


def wheel(folder: Path) -> Path:
    """The smallest package that pip installs."""
    path = folder / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        archive.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.dist-info/RECORD", "")
    return path


@pytest.fixture(scope="module")
def base(processes: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose development lock has been installed."""
    folder = tmp_path_factory.mktemp("project")
    path = wheel(folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / virtualenv.RUNTIME_LOCK).write_text("# nothing\n")
    (folder / virtualenv.DEVELOPMENT_LOCK).write_text(f"{path} --hash=sha256:{digest}\n")
    virtualenv.ensure(folder, development=True, environ={})
    return folder


def outcome(base: Path, capsys: pytest.CaptureFixture[str], *, development: bool) -> str:
    capsys.readouterr()
    virtualenv.ensure(base, development=development, environ={})
    return capsys.readouterr().out


def test_the_package_is_there(base: Path) -> None:
    assert list(base.glob(".venv/lib/*/site-packages/tiny.py"))


@pytest.mark.parametrize("development", [True, False])
def test_what_is_there_is_not_installed_again(
    base: Path, capsys: pytest.CaptureFixture[str], development: bool
) -> None:
    assert "as locked" in outcome(base, capsys, development=development)


def test_a_changed_lock_is_installed(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (base / virtualenv.RUNTIME_LOCK).write_text("# nothing yet\n")
    assert "installed from requirements.lock" in outcome(base, capsys, development=False)
    assert "as locked" in outcome(base, capsys, development=False)


def test_a_package_with_another_hash_is_refused_every_time(base: Path) -> None:
    (base / virtualenv.RUNTIME_LOCK).write_text(f"{base / 'tiny-1-py3-none-any.whl'} --hash=sha256:{'0' * 64}\n")
    for _ in range(2):
        with pytest.raises(SetupFailed, match="DO NOT MATCH THE HASHES"):
            virtualenv.ensure(base, development=False, environ={})


def test_the_operators_own_settings_of_pip_come_first() -> None:
    ours = {"TECKO_PIP_INDEX_URL": "https://ours.example.com/simple", "TECKO_CA_BUNDLE": "/ca.pem"}
    assert virtualenv.pip_environment(ours)["PIP_INDEX_URL"] == "https://ours.example.com/simple"
    assert virtualenv.pip_environment(ours | {"PIP_CERT": "/theirs.pem"})["PIP_CERT"] == "/theirs.pem"
    assert "PIP_CERT" not in virtualenv.pip_environment({})
