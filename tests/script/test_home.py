"""The home folder: private, its keys generated once, never changed."""

import base64
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teckochecker.setup import home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_folder_and_keys_are_private(place: Path) -> None:
    home.ensure(place, {})
    assert (mode(place), mode(place / "logs"), mode(place / ".env")) == (0o700, 0o700, 0o600)


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
    place.mkdir()
    (place / ".env").write_text("TECKO_KEYS=\nTECKO_SECRET_KEY=\n")
    assert home.ensure(place, {}) == []


def test_keys_of_the_environment_are_not_written_down(place: Path) -> None:
    home.ensure(place, {"TECKO_KEYS": "k1:abc", "TECKO_SECRET_KEY": "x" * 64})
    assert home.read_env(place / ".env") == {}


def test_a_link_in_the_place_of_the_env_file_is_not_replaced(place: Path, tmp_path: Path) -> None:
    place.mkdir()
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
