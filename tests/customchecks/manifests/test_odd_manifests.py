"""Whatever stands where something else is expected, a manifest is taken or refused with a sentence."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customchecks.archives import script_archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.manifests.manifest import ManifestRefused

WORDS = (
    "six",
    ">=1",
    "*",
    "^1.2",
    "main",
    "git",
    "../x",
    "./x.whl",
    "https://x.org/y",
    "",
    "linux",
    "1.0",
    "-r x",
    "a\nb",
)
KEYS = (
    *(
        "version",
        "extras",
        "markers",
        "optional",
        "python",
        "groups",
        "files",
        "hash",
        "hashes",
        "source",
        "type",
        "name",
    ),
    *("url", "path", "registry", "virtual", "specifier", "requirements", "index", "editable", "resolved", "requires"),
)
SCALARS = st.sampled_from(WORDS) | st.integers(-2, 2) | st.booleans() | st.floats(0, 1) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
TOML = {
    "project": "[project]\ndependencies = {0}\nrequires-python = {1}\ndynamic = {2}\n",
    "poetry": "[tool.poetry]\nsource = {0}\n[tool.poetry.dependencies]\nsix = {1}\npython = {2}\n",
    "tool": "tool = {0}\nproject = {1}\n",
    "Pipfile": "source = {0}\n[packages]\nsix = {1}\nidna = {2}\n",
    "lock": "package = {0}\nmanifest = {1}\nrequires-python = {2}\npackages = {0}\n",
    "package": "[[package]]\nname = {0}\nversion = {1}\nsource = {2}\nfiles = {0}\ngroups = {1}\nmarkers = {2}\n",
}
JSON = {
    "package.json": '{{"dependencies": {{"x": {0}}}, "overrides": {1}, "workspaces": {2}}}',
    "groups": '{{"dependencies": {0}, "peerDependencies": {1}, "resolutions": {2}}}',
    "package-lock.json": '{{"packages": {0}, "dependencies": {{"x": {1}}}, "lockfileVersion": {2}}}',
    "Pipfile.lock": '{{"default": {{"six": {0}}}, "_meta": {{"sources": {1}}}, "other": {2}}}',
    "default": '{{"default": {0}, "_meta": {1}}}',
}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def read(files: dict[str, str], runtime: str = "python") -> None:
    every = {"main.py": "", "index.js": "", **files}
    found = script_archive.from_files((name, text.encode("utf-8", "replace")) for name, text in every.items())
    try:
        detection.find(found, ScriptUse(runtime=runtime, entrypoint="main.py" if runtime == "python" else "index.js"))
    except ManifestRefused as refused:
        assert str(refused)


FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
THREE = st.tuples(VALUES, VALUES, VALUES)


@pytest.mark.parametrize("kind", ["project", "poetry", "tool"])
@FEW
@given(THREE)
def test_a_project(kind: str, values: tuple[Any, ...]) -> None:
    read({"pyproject.toml": TOML[kind].format(*map(toml, values))})


@pytest.mark.parametrize("kind", ["lock", "package"])
@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "main.py.lock"])
@FEW
@given(THREE)
def test_a_lock(name: str, kind: str, values: tuple[Any, ...]) -> None:
    lock = TOML[kind].format(*map(toml, values))
    block = '# /// script\n# dependencies = ["six"]\n# ///\n' if name == "main.py.lock" else ""
    project = {} if name == "pylock.toml" else {"pyproject.toml": '[tool.poetry.dependencies]\nsix = "*"\n'}
    read({name: lock, "main.py": block, **project})


@FEW
@given(THREE)
def test_a_lock_of_a_script(values: tuple[Any, ...]) -> None:
    package, other, version = map(toml, values)
    lock = f"package = {package}\nmanifest = {{requirements = [{{name = 'six'}}, {other}]}}\nversion = {version}\n"
    read({"main.py.lock": lock, "main.py": '# /// script\n# dependencies = ["six"]\n# ///\n'})


@FEW
@given(THREE)
def test_a_block(values: tuple[Any, ...]) -> None:
    lines = TOML["tool"].format(*map(toml, values)) + f"dependencies = {toml(values[2])}\n"
    read({"main.py": "# /// script\n" + "".join(f"# {line}\n" for line in lines.splitlines()) + "# ///\n"})


@FEW
@given(THREE)
def test_a_pipfile(values: tuple[Any, ...]) -> None:
    read({"Pipfile": TOML["Pipfile"].format(*map(toml, values))})


@pytest.mark.parametrize("kind", ["Pipfile.lock", "default"])
@FEW
@given(THREE)
def test_a_lock_of_pipenv(kind: str, values: tuple[Any, ...]) -> None:
    read({"Pipfile.lock": JSON[kind].format(*map(json.dumps, values))})


@pytest.mark.parametrize("kind", ["package.json", "groups"])
@FEW
@given(THREE)
def test_a_package(kind: str, values: tuple[Any, ...]) -> None:
    read({"package.json": JSON[kind].format(*map(json.dumps, values))}, "node")


@FEW
@given(THREE)
def test_a_lock_of_npm(values: tuple[Any, ...]) -> None:
    lock = JSON["package-lock.json"].format(*map(json.dumps, values))
    read({"package.json": '{"dependencies": {"x": "1"}}', "package-lock.json": lock}, "node")


@pytest.mark.parametrize(
    ("name", "runtime"),
    [(".npmrc", "node"), ("requirements.txt", "python"), ("main.py", "python"), ("Pipfile", "python")],
)
@FEW
@given(st.text(max_size=200))
def test_any_text(name: str, runtime: str, text: str) -> None:
    begin = "# /// script\n" if name == "main.py" else ""
    others = {"package.json": '{"dependencies": {"x": "1"}}'} if runtime == "node" else {}
    read({name: begin + text, **others}, runtime)
