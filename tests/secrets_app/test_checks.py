"""Nothing starts with a key that is missing, short, doubled, a placeholder, or the key of the sessions."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

RANDOM = base64.b64encode(os.urandom(32)).decode()
ROOT = Path(__file__).parents[2]


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ids() -> list[str]:
    return [str(message.id) for message in run_checks() if str(message.id).startswith("secrets_app.")]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], "E001"),
        (["k1"], "E002"),
        ([f"k1:{encoded(os.urandom(31))}"], "E002"),
        ([f"k1:{encoded(os.urandom(33))}"], "E002"),
        (["k1:***"], "E002"),
        ([f"k1:{RANDOM}", f"k1:{encoded(os.urandom(32))}"], "E003"),
        ([f"k1:{encoded(bytes(32))}"], "E004"),
        ([f"k1:{encoded(bytes(range(32)))}"], "E004"),
        ([f"k1:{encoded(b'changeme' * 4)}"], "E004"),
        ([f"k1:{encoded(b'a passphrase that somebody typed')}"], "E004"),
    ],
)
def test_a_wrong_key_is_reported(keys: list[str], expected: str, settings: Settings) -> None:
    settings.TECKO_KEYS = keys
    assert ids() == [f"secrets_app.{expected}"]


@pytest.mark.parametrize("text", [RANDOM, f"django-{RANDOM}"])
def test_the_key_of_the_sessions_is_no_key_for_secrets(text: str, settings: Settings) -> None:
    settings.TECKO_KEYS = [f"k1:{RANDOM}"]
    settings.TECKO_SECRET_KEY = text
    assert ids() == ["secrets_app.E005"]


def test_two_random_keys_are_fine(settings: Settings) -> None:
    settings.TECKO_KEYS = [f"k2:{RANDOM}", f"k1:{encoded(os.urandom(32))}"]
    assert ids() == []


def test_every_report_has_a_remedy_and_shows_no_key(settings: Settings) -> None:
    settings.TECKO_KEYS = [f"k1:{RANDOM}", f"k1:{RANDOM}", f"k2:{RANDOM[:30]}"]
    found = [message for message in run_checks() if str(message.id).startswith("secrets_app.")]
    assert len(found) == 2
    assert all(message.hint for message in found)
    assert not any(RANDOM[:30] in f"{message}{message!r}" for message in found)


@pytest.mark.usefixtures("processes")
def test_the_command_line_does_not_start_with_a_short_key() -> None:
    environment = os.environ | {"TECKO_KEYS": f"k1:{encoded(os.urandom(31))}"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "secrets_app.E002" in done.stderr
