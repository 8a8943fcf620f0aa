"""How much HSTS binds is what the operator says."""

from pathlib import Path

import pytest

from teckochecker.ops import setting_values
from tests.teckochecker.ops.test_settings import read

NAMES = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD")


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", [31_536_000, False, False]),
        ("off", [0, False, False]),
        ("host", [31_536_000, False, False]),
        ("subdomains", [31_536_000, True, False]),
        ("preload", [31_536_000, True, True]),
    ],
)
def test_hsts_binds_what_is_said(tmp_path: Path, said: str, found: list[object]) -> None:
    assert list(read(tmp_path, *NAMES, TECKO_PUBLIC_URL="https://tecko.example.com", TECKO_HSTS=said)) == found


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError):
        setting_values.hsts("yes")
