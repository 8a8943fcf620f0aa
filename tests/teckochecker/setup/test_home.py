"""The home folder: private, its keys generated once, never changed."""

import base64
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teckochecker.ops import checks
from teckochecker.setup import home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_folder_and_keys_are_private(place: Path) -> None:
    home.ensure(place, {})
    assert (mode(place), mode(place / "logs"), mode(place / ".env")) == (0o700, 0o700, 0o600)


def test_an_open_folder_and_all_that_is_in_it_become_private(place: Path) -> None:
    home.ensure(place, {})
    left = [place / name for name in ("teckochecker.sqlite3-wal", "logs/web.log", "cache/git/config", "metrics/a.db")]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    everything = [place, *place.rglob("*")]
    for path in everything:
        path.chmod(0o755)
    assert home.ensure(place, {}) == [f"closed to others ({len(everything)} files and folders)"]
    assert {mode(path) for path in everything} == {0o700}
    assert home.ensure(place, {}) == []


def test_a_folder_with_somebody_elses_things_stays_open_and_ours_do_not(place: Path) -> None:
    home.ensure(place, {})
    (place / "thesis.tex").touch()
    for path in (place, place / "thesis.tex", place / ".env"):
        path.chmod(0o755)
    home.ensure(place, {})
    assert [mode(path) for path in (place, place / "thesis.tex", place / ".env")] == [0o755, 0o755, 0o700]


def test_what_a_link_leads_to_stays_as_it_is(place: Path, tmp_path: Path) -> None:
    home.ensure(place, {})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere").chmod(0o755)
    (place / "cache").symlink_to(tmp_path / "elsewhere")
    home.ensure(place, {})
    assert mode(tmp_path / "elsewhere") == 0o755


@pytest.mark.usefixtures("processes")
def test_every_process_closes_the_folder_and_makes_private_files(place: Path) -> None:
    """Also one that is not started by ``script/server``, under a generous umask."""
    home.ensure(place, {})
    place.chmod(0o755)
    words = [sys.executable, str(home.BASE_DIR / "manage.py"), "migrate", "--verbosity", "0"]
    environ = {**os.environ, "TECKO_HOME": str(place), "DATABASE_URL": ""}
    subprocess.run(words, env=environ, check=True, umask=0)
    assert {path.name for path in [place, *place.rglob("*")] if mode(path) & 0o077} == set()
    assert (place / "teckochecker.sqlite3").is_file()


def test_a_folder_that_is_open_and_not_ours_alone_is_complained_of(place: Path, settings: Any) -> None:
    home.ensure(place, {})
    settings.TECKO_HOME = place
    assert checks.open_home() == []
    (place / "thesis.tex").touch()
    place.chmod(0o755)
    assert "thesis.tex" in checks.open_home()[0].msg


def test_the_keys_are_long_and_random(place: Path, tmp_path: Path) -> None:
    home.ensure(place, {})
    home.ensure(tmp_path / "other", {})
    keys, others = home.read_env(place / ".env"), home.read_env(tmp_path / "other" / ".env")
    kid, _, key = keys["TECKO_KEYS"].partition(":")
    assert (kid, len(base64.b64decode(key, validate=True))) == ("k1", 32)
    assert len(keys["TECKO_SECRET_KEY"]) >= 64
    assert not set(keys.values()) & set(others.values())


def test_a_second_time_changes_nothing(place: Path) -> None:
    home.ensure(place, {})
    before = (place / ".env").read_bytes()
    assert home.ensure(place, {}) == []
    assert (place / ".env").read_bytes() == before


def test_a_missing_key_is_added_below_lines_that_stay(place: Path) -> None:
    place.mkdir()
    (place / ".env").write_text("# mine\nTECKO_KEYS=k7:abc\nTECKO_PORT=9000")
    home.ensure(place, {})
    first, second, third, added = (place / ".env").read_text().splitlines()
    assert [first, second, third] == ["# mine", "TECKO_KEYS=k7:abc", "TECKO_PORT=9000"]
    assert added.startswith("TECKO_SECRET_KEY=")


def test_an_empty_key_is_not_replaced(place: Path) -> None:
    place.mkdir(mode=0o700)
    (place / ".env").write_text("TECKO_KEYS=\nTECKO_SECRET_KEY=\n")
    (place / ".env").chmod(0o600)
    assert home.ensure(place, {}) == []


def test_keys_of_the_environment_are_not_written_down(place: Path) -> None:
    home.ensure(place, {"TECKO_KEYS": "k1:abc", "TECKO_SECRET_KEY": "x" * 64})
    assert home.read_env(place / ".env") == {}


def test_a_link_in_the_place_of_the_env_file_is_not_replaced(place: Path, tmp_path: Path) -> None:
    place.mkdir(mode=0o700)
    (tmp_path / "elsewhere").write_text("TECKO_KEYS=k1:abc\nTECKO_SECRET_KEY=xyz\n")
    (place / ".env").symlink_to(tmp_path / "elsewhere")
    assert home.ensure(place, {}) == []


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(name.isidentifier() for name in home.parse_env(text))


@given(
    st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.text(st.characters(codec="ascii", categories=["L", "N", "S"]))
)
def test_a_value_is_read_as_it_was_written(name: str, value: str) -> None:
    assert home.parse_env(f"# comment\n{name}={value}\nZ9=end")[name] == value


def test_the_first_of_two_lines_counts_and_quotes_go() -> None:
    assert home.parse_env("#A=0\nexport A='1'\nA=2\n\nB = x=y\n") == {"A": "1", "B": "x=y"}


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with home.server_lock(tmp_path), pytest.raises(home.AlreadyRunning), home.server_lock(tmp_path):
        pass
    assert home.running_server(tmp_path) is None
    with home.server_lock(tmp_path):
        assert home.running_server(tmp_path)


def test_two_set_ups_at_once_agree_on_one_pair_of_keys(place: Path) -> None:
    threads = [threading.Thread(target=home.ensure, args=(place, {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for line in (place / ".env").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 2
