"""Every kind of manifest, installed for real: the version that was locked is the one that the script imports."""

import json
from dataclasses import replace
from typing import Any

import pytest

from customchecks.manifests import public_indexes
from polling.base.results import Cause
from tests.customchecks.dependencies.conftest import Box
from tests.factories import tgz
from tests.security import boxes

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.django_db(transaction=True)]

SHOW = 'from importlib.metadata import version; print(version("iniconfig"))'
HASH = "sha256:b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374"  # of the wheel of iniconfig 2.0.0
POETRY = '[tool.poetry]\nname = "c"\n[tool.poetry.dependencies]\npython = "^3.8"\niniconfig = ">=1"\n'
POETRY_LOCK = f'[[package]]\nname = "iniconfig"\nversion = "2.0.0"\nfiles = [{{file = "x.whl", hash = "{HASH}"}}]\n'
PIPFILE_LOCK = json.dumps({"default": {"iniconfig": {"version": "==2.0.0", "hashes": [HASH]}}})
SHA512 = "41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
INLINE = '# /// script\n# dependencies = [\n#   "iniconfig==2.0.0",\n# ]\n# ///\n'
LOCK = {
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"dependencies": {"is-number": "^7.0.0"}},
        "node_modules/is-number": {
            "version": "7.0.0",
            "resolved": "https://artifactory.corp.example/artifactory/api/npm/npm/is-number/-/is-number-7.0.0.tgz",
            "integrity": f"sha512-{SHA512}",
        },
    },
}


@pytest.mark.parametrize(
    ("entrypoint", "files"),
    [
        ("main.py", {"requirements.txt": "iniconfig==2.0.0\r\n".encode("utf-16")}),
        ("main.py", {"pyproject.toml": '[project]\nname = "c"\nversion = "0"\ndependencies = ["iniconfig==2.0.0"]\n'}),
        ("main.py", {"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK}),
        ("main.py", {"pyproject.toml": POETRY.replace(">=1", "2.0.0")}),
        ("main.py", {"Pipfile": '[packages]\niniconfig = "*"\n', "Pipfile.lock": PIPFILE_LOCK}),
        ("main.py", {"main.py": INLINE}),
        (
            "a/b/main.py",
            {
                "a/b/main.py": "",
                "a/b/requirements.txt": "-c limits.txt\niniconfig",
                "a/b/limits.txt": "iniconfig==2.0.0",
            },
        ),
    ],
    ids=["utf-16", "project", "poetry-lock", "poetry", "pipenv", "inline", "subfolder"],
)
def test_the_script_imports_the_version_that_was_named(box: Box, entrypoint: str, files: dict[str, str]) -> None:
    prepared = box.prepare(files, entrypoint=entrypoint)
    assert box.run(prepared, SHOW).stdout == b"2.0.0\n", prepared


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": POETRY, "poetry.lock": POETRY_LOCK.replace("b6a8", "0000")},
        {"Pipfile": '[packages]\niniconfig = "*"\n', "Pipfile.lock": PIPFILE_LOCK.replace("b6a8", "0000")},
    ],
    ids=["poetry", "pipenv"],
)
def test_other_content_than_what_was_locked_is_not_installed(box: Box, files: dict[str, str]) -> None:
    prepared = box.prepare(files)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "hash" in prepared.log.lower()


def test_a_scripts_own_lock_is_followed(box: Box) -> None:

    code = "import pathlib, subprocess\npathlib.Path('m.py').write_text(BLOCK)\n"
    code += "subprocess.run(['uv', 'lock', '--script', 'm.py', '--quiet'], check=True, stdout=2)\n"
    code += "print(pathlib.Path('m.py.lock').read_text())"
    locking = box.sandbox.run(boxes.request(f"BLOCK = {INLINE!r}\n{code}"))
    prepared = box.prepare({"main.py": INLINE, "main.py.lock": locking.stdout.decode()})
    assert box.run(prepared, SHOW).stdout == b"2.0.0\n", (prepared, locking)


def test_the_operators_registry_is_asked_for_what_another_one_was_locked_from(box: Box) -> None:
    files = {"package.json": '{"dependencies": {"is-number": "^7.0.0"}}', "package-lock.json": json.dumps(LOCK)}
    prepared = box.prepare(files)
    outcome = box.run(prepared, 'console.log(require("is-number/package.json").version)', runtime="node")
    assert outcome.stdout == b"7.0.0\n", prepared


def test_the_operators_own_registry_is_asked_for_what_another_one_was_locked_from(box: Box, settings: Any) -> None:
    settings.TECKO_NPM_REGISTRY = "https://registry.invalid/npm/"
    files = {"package.json": '{"dependencies": {"is-number": "^7.0.0"}}', "package-lock.json": json.dumps(LOCK)}
    prepared = box.prepare(files)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "registry.invalid/npm/is-number" in prepared.log
    assert "artifactory" not in prepared.log


def test_a_registry_that_wants_a_password_is_asked_through_the_gate(box: Box, settings: Any) -> None:
    settings.TECKO_NPM_REGISTRY = public_indexes.NPM_REGISTRY.replace("://", "://somebody:hunter2hunter2@")
    prepared = box.prepare({"package.json": '{"dependencies": {"is-number": "7.0.0"}}'})
    show = "require('fs').readdirSync('/work/node_modules', {recursive: true}).join(' ')"
    assert "is-number/index.js" in box.run(prepared, f"console.log({show})", runtime="node").stdout.decode(), prepared


def test_other_content_than_what_another_registry_had_is_not_installed(box: Box) -> None:
    lock = json.dumps(LOCK).replace("41Cifkg6", "00000000")
    prepared = box.prepare({"package.json": '{"dependencies": {"is-number": "^7.0.0"}}', "package-lock.json": lock})
    assert prepared.cause is Cause.DEPS_FAILED
    assert "EINTEGRITY" in prepared.log


def test_peer_dependencies_are_resolved_as_the_script_says(box: Box) -> None:
    wanted = {"dependencies": {"react": "18.2.0", "react-dom": "17.0.2"}}
    plain = box.prepare({"package.json": json.dumps(wanted)})
    told = box.prepare({"package.json": json.dumps(wanted), ".npmrc": "legacy-peer-deps=true\n"})
    assert (plain.cause, told.cause) == (Cause.DEPS_FAILED, None)
    assert "ERESOLVE" in plain.log


def test_a_folder_below_the_top_is_found_by_node(box: Box) -> None:

    files = {
        "checks/index.js": 'console.log(require("ours"), require("is-number")(1))',
        "checks/package.json": '{"dependencies": {"ours": "file:./lib", "is-number": "7.0.0"}}',
        "checks/lib/package.json": '{"name": "ours", "version": "1.0.0"}',
        "checks/lib/index.js": "module.exports = 'ours'",
    }
    prepared = box.prepare(files, entrypoint="checks/index.js")
    request = boxes.request("", runtime="node", network="none", volumes=prepared.volumes)
    outcome = box.sandbox.run(replace(request, argv=("node", "checks/index.js"), archive=tgz(files)))
    assert outcome.stdout == b"ours true\n", (prepared, outcome)
