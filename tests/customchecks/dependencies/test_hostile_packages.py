"""Packages that are meant harm with: what their code runs, sees and hides while they are installed."""

import io
import time
import zipfile
from typing import Any

import pytest
from pip._internal.models.index import PyPI

from polling.base.results import Cause
from tests.customchecks.dependencies.conftest import Box

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.django_db(transaction=True)]

SETUP = "from setuptools import setup\nsetup(name='ours', version='1', py_modules=[])\n"
# Looks into all that a process of this user can read; the password is written backwards, so as not to find itself
SEARCHING = """import base64, os, pathlib, sys
word = "2retnuh2retnuh"[::-1]
words = [word.encode(), base64.b64encode(f"somebody:{word}".encode())]
here = [*pathlib.Path("/proc").glob("[0-9]*/environ"), *pathlib.Path("/proc").glob("[0-9]*/cmdline")]
here += [path for top in ("/work", "/tmp", "/run", "/deps") for path in pathlib.Path(top).rglob("*")]
read = 0
for path in here:
    try:
        content = path.read_bytes()
    except OSError:
        continue
    read += 1
    if any(word in content for word in words):
        print("FOUND IN", path, file=sys.stderr)
print("READ", read, "OWN", "UV_CACHE_DIR" in os.environ, file=sys.stderr)
for number in os.listdir("/proc"):
    if number.isdigit():
        for name in ("mem", "fd/1"):
            try:
                open(f"/proc/{number}/{name}", "r+b" if name == "mem" else "wb").close()
                command = pathlib.Path(f"/proc/{number}/cmdline").read_bytes()
                if b"TECKO_INDEXES" in command or number == "1":
                    print("OPENED", number, name, file=sys.stderr)
            except OSError:
                pass
sys.exit("that is all")
"""
HIDING = """import os, sys, time
os.mkdir("/deps/hidden")
os.mkdir("/deps/hidden/deeper")
with open("/deps/hidden/deeper/file", "wb") as file:
    for _ in range(60):
        file.write(os.urandom(1024 * 1024))
os.chmod("/deps/hidden/deeper", 0)
os.chmod("/deps/hidden", 0)
time.sleep({seconds})
""" + SETUP.replace("{", "{{").replace("}", "}}")


def wheel(**files: str) -> bytes:
    info = "ours-1.dist-info"
    named = {name.replace("_dot_", "."): text for name, text in files.items()} | {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: ours\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    named[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*named, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in named.items():
            archive.writestr(path, text)
    return packed.getvalue()


def built(setup: str) -> dict[str, str]:
    return {"requirements.txt": "./package\n", "package/setup.py": setup}


@pytest.mark.parametrize("name", ["ours.pth", "sitecustomize.py", "usercustomize.py"])
def test_what_a_wheel_would_run_at_every_start_does_not_run_while_it_is_installed(box: Box, name: str) -> None:
    code = "import pathlib; pathlib.Path('/deps/ran').write_text('x')\n"
    packed = wheel(**{name: code, "ours.py": "VALUE = 1\n"})
    prepared = box.prepare({"requirements.txt": "./ours-1-py3-none-any.whl", "ours-1-py3-none-any.whl": packed})
    outcome = box.run(prepared, "import ours, os, sys; print(os.path.exists('/deps/ran'), ours.__cached__)")
    ran, cached = outcome.stdout.decode().split()
    assert ran == "False"
    seen = box.run(prepared, f"import os; print(os.path.exists({cached!r}))")
    assert seen.stdout == b"True\n", "it was not compiled"


def test_code_that_is_built_cannot_see_the_password_of_the_index(box: Box, settings: Any) -> None:
    settings.TECKO_PIP_INDEX_URL = PyPI.simple_url.replace("://", "://somebody:hunter2hunter2@")
    prepared = box.prepare(built(SEARCHING), source_builds=True)
    assert "that is all" in prepared.log, prepared.log
    assert "OWN True" in prepared.log
    assert int(prepared.log.partition("READ ")[2].split()[0]) > 10
    assert "FOUND IN" not in prepared.log
    assert "OPENED" not in prepared.log


@pytest.mark.parametrize("seconds", [0, 120])
def test_a_set_cannot_hide_how_large_it_is(box: Box, settings: Any, seconds: int) -> None:
    settings.TECKO_DEPS_CACHE_MB = 100
    began = time.monotonic()
    prepared = box.prepare(built(HIDING.format(seconds=seconds)), source_builds=True)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "more than 50 MB" in prepared.failure
    assert time.monotonic() - began < 60
    assert box.volumes() == []
