"""``customcheck secret``: values come from stdin and are never printed."""

import os
import pty
import subprocess
import termios
import time
from collections.abc import Callable

import pytest

from customchecks.jobs.models import CustomCheckJob
from secrets_app import references
from secrets_app.models import Secret
from tests.customchecks.cli.conftest import Cli, Ended
from tests.factories import make_secret

Here = Callable[..., Ended]
VALUE = "canary-7Hq9/Zw"


def test_a_secret_is_created_listed_changed_and_deleted(cli: Cli) -> None:
    made = cli("secret", "create", "gemini", "--type", "openai", stdin=f"{VALUE}\n")
    secret = Secret.objects.get()
    assert (made.code, made.out, secret.value()) == (0, f"{secret.pk}\n", VALUE)
    assert "A newline at the end of the value was left out." in made.err
    assert (secret.type, secret.created_by.username) == ("openai", "boss")
    listed = cli("secret", "list", "--json")
    assert listed.json["secrets"][0]["name"] == "gemini"
    changed = cli("secret", "set", "gemini", stdin="another value")
    assert Secret.objects.get().value() == "another value"
    assert cli("secret", "delete", str(secret.pk), "--yes").code == 0
    assert not Secret.objects.exists()
    assert not [one for one in (made, listed, changed) if VALUE in one.out + one.err]


@pytest.mark.parametrize(
    ("words", "stdin", "code"),
    [
        (("create", "x"), "", 2),
        (("create", "x"), "ab", 4),
        (("create", "7"), VALUE, 4),
        (("create", "x", "--type", "odd"), VALUE, 2),
        (("set", "nobody"), VALUE, 3),
        (("delete", "nobody", "--yes"), "", 3),
    ],
)
def test_what_is_wrong_is_told_and_stores_nothing(cli: Cli, words: tuple[str, ...], stdin: str, code: int) -> None:
    ended = cli("secret", *words, stdin=stdin)
    assert (ended.code, ended.out) == (code, "")
    assert VALUE not in ended.err
    assert not Secret.objects.exists()


def test_a_secret_in_use_stays(here: Here, make_job: Callable[..., CustomCheckJob], db: None) -> None:
    secret = make_secret("api", VALUE)
    job = make_job()
    references.grant([secret], job_kind="custom", job_id=job.pk, user=None)
    ended = here("secret", "delete", "api", "--yes")
    assert (ended.code, f"custom {job.pk}" in ended.err) == (1, True)
    assert here("secret", "delete", "api").code == 2


def test_on_a_terminal_the_value_is_asked_for_and_not_shown(cli: Cli) -> None:
    outside, inside = pty.openpty()
    ends = {"stdin": inside, "stdout": inside, "stderr": inside}
    process = subprocess.Popen(cli.argv(("secret", "create", "gemini")), env=cli.env, start_new_session=True, **ends)
    os.close(inside)
    shown = b""
    for prompt in (b"Value", b"Repeat"):
        while prompt not in shown:
            shown += os.read(outside, 1024)
        while termios.tcgetattr(outside)[3] & termios.ECHO:  # what is typed before it is off is thrown away
            time.sleep(0.01)
        os.write(outside, f"{VALUE}\n".encode())
    assert process.wait(60) == 0
    os.close(outside)
    assert VALUE.encode() not in shown
    assert Secret.objects.get().value() == VALUE
