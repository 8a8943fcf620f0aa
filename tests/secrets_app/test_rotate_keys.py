"""Moving all secrets to a new key."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from secrets_app.crypto import KeyRing
from secrets_app.models import Secret
from tests.factories import CANARY
from tests.secrets_app.conftest import key_setting

MakeSecret = Callable[..., Secret]
OLD, NEW = key_setting("old"), key_setting("new")
ROOT = Path(__file__).parents[2]


def rotate(*, batch_size: int = 200) -> str:
    out = io.StringIO()
    call_command("rotate_keys", batch_size=batch_size, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def secrets(make_secret: MakeSecret, settings: Settings) -> list[Secret]:
    settings.TECKO_KEYS = [OLD]
    made = [make_secret(f"name{number}", f"{CANARY}{number}") for number in range(5)]
    settings.TECKO_KEYS = [NEW, OLD]
    return made


def test_all_secrets_move_to_the_first_key_and_the_old_one_can_go(secrets: list[Secret], settings: Settings) -> None:
    said = rotate(batch_size=2)
    settings.TECKO_KEYS = [NEW]
    assert [secret.value() for secret in Secret.objects.order_by("pk")] == [f"{CANARY}{n}" for n in range(5)]
    assert "key new: 5 secrets (current)" in said
    assert "old" not in said


def test_the_time_of_the_last_change_stays(secrets: list[Secret]) -> None:
    rotate()
    assert Secret.objects.get(pk=secrets[0].pk).updated_at == secrets[0].updated_at


def test_a_second_run_leaves_everything_as_it_is(secrets: list[Secret]) -> None:
    rotate()
    before = list(Secret.objects.values_list("ciphertext", flat=True))
    rotate()
    assert list(Secret.objects.values_list("ciphertext", flat=True)) == before


def test_a_value_that_was_changed_meanwhile_is_not_lost(secrets: list[Secret]) -> None:
    as_read = Secret.objects.get(pk=secrets[0].pk)
    secrets[0].set_value("changed meanwhile")
    secrets[0].save()
    assert as_read.reencrypt(KeyRing.from_settings()) is False
    assert Secret.objects.get(pk=as_read.pk).value() == "changed meanwhile"


def test_one_that_cannot_be_read_is_named_and_does_not_stop_the_others(
    secrets: list[Secret], capsys: pytest.CaptureFixture[str]
) -> None:
    Secret.objects.filter(pk=secrets[1].pk).update(ciphertext=secrets[2].ciphertext)
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 secrets are not on key new"):
        call_command("rotate_keys", batch_size=1, stdout=out, stderr=out)
    assert "name1" in out.getvalue()
    assert "key new: 4 secrets" in out.getvalue()
    assert "key old: 1 secrets" in out.getvalue()


@pytest.mark.parametrize(("keys", "size"), [([], 200), ([NEW], 0)])
def test_a_wrong_setting_or_option_is_refused(
    keys: list[str], size: int, secrets: list[Secret], settings: Settings
) -> None:
    settings.TECKO_KEYS = keys
    with pytest.raises(CommandError):
        rotate(batch_size=size)


FILL = """
import django; django.setup()
from secrets_app.models import Secret
made = [Secret(name=f"name{number}") for number in range(2000)]
for secret in made: secret.set_value("value of " + secret.name)
Secret.objects.bulk_create(made)
"""
READ = """
import django; django.setup()
from secrets_app.models import Secret
print(sum(secret.value() == "value of " + secret.name for secret in Secret.objects.all()))
"""


@pytest.mark.usefixtures("processes")
def test_a_run_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    def environment(*keys: str) -> dict[str, str]:
        url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
        own = {"TECKO_HOME": str(tmp_path), "DATABASE_URL": url, "TECKO_KEYS": ",".join(keys)}
        return os.environ | own | {"TECKO_SECRET_KEY": settings.TECKO_SECRET_KEY}

    def python(*words: str, keys: tuple[str, ...]) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=ROOT, env=environment(*keys), capture_output=True, text=True, check=True)
        return done.stdout

    python("manage.py", "migrate", keys=(OLD,))
    python("-c", FILL, keys=(OLD,))
    command = [sys.executable, "-u", "manage.py", "rotate_keys", "--batch-size", "10"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(NEW, OLD), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGKILL)
    said = python("manage.py", "rotate_keys", keys=(NEW, OLD))
    assert "key new: 2000 secrets (current)" in said
    assert 0 < sum(int(moved) for moved in re.findall(r"^(\d+) of", said, re.MULTILINE)) < 2000
    assert python("-c", READ, keys=(NEW,)).strip() == "2000"
