"""Which Python manifests are followed, from where and how exactly, and what is told of those that cannot be."""

import io
import json
from collections.abc import Mapping

import pytest

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.manifests.manifest import Manifest, ManifestRefused
from customchecks.manifests.poetry import specifier
from tests.factories import tgz

HASH = f"sha256:{'0' * 64}"
INLINE = """#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "six>=1",
# ]
# ///
"""
POETRY = '[tool.poetry]\nname = "c"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
POETRY_LOCK = '[[package]]\nname = "requests"\nversion = "2.32.3"\noptional = false\nfiles = []\n'
PROJECT = '[project]\nname = "c"\ndependencies = ["six>=1"]\n'


def archive(files: Mapping[str, str | bytes]) -> Archive:
    return script_archive.normalise(io.BytesIO(tgz({"main.py": "", **files})), strip_top=False)


def find(files: Mapping[str, str | bytes], *, entrypoint: str = "main.py", runtime: str = "python") -> Manifest | None:
    return detection.find(archive(files), ScriptUse(runtime=runtime, entrypoint=entrypoint))


def installed(files: Mapping[str, str | bytes], *, entrypoint: str = "main.py") -> str:
    """The lines that the installer gets."""
    manifest = find(files, entrypoint=entrypoint)
    assert manifest is not None
    return manifest.files[manifest.main].decode()


def refusal(files: Mapping[str, str | bytes], *, entrypoint: str = "main.py") -> str:
    with pytest.raises(ManifestRefused) as refused:
        find(files, entrypoint=entrypoint)
    return str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_requirements_are_read_in_the_encodings_that_editors_write(encoding: str, ending: str) -> None:
    assert installed({"requirements.txt": f"six==1.16.0{ending}".encode(encoding)}) == "six==1.16.0\n"


def test_an_encoding_that_nobody_can_know_is_refused_with_the_remedy() -> None:
    assert "Save it as UTF-8" in refusal({"requirements.txt": "# für\nsix".encode("latin-1")})


@pytest.mark.parametrize("place", ["checks/nightly/", "checks/", ""])
def test_the_manifest_nearest_to_the_entry_point_counts(place: str) -> None:
    files = {"checks/nightly/main.py": "", "README.md": "", f"{place}requirements.txt": "six"}
    manifest = find(files, entrypoint="checks/nightly/main.py")
    assert manifest is not None
    assert (manifest.main, manifest.folder) == (f"{place}requirements.txt", place.rstrip("/"))


def test_a_project_without_dependencies_leaves_it_to_the_folder_above() -> None:
    files = {"a/main.py": "", "a/pyproject.toml": "[tool.ruff]\n", "requirements.txt": "six"}
    assert installed(files, entrypoint="a/main.py") == "six\n"


def test_files_of_a_subfolder_are_found_from_there_and_from_the_manifest() -> None:
    wheel = "x-1-py3-none-any.whl"
    files = {
        "a/main.py": "",
        "a/requirements.txt": "-r more/base.txt",
        "a/more/base.txt": f"./{wheel}",
        f"a/{wheel}": "",
    }
    manifest = find(files, entrypoint="a/main.py")
    assert manifest is not None
    assert manifest.files["a/more/base.txt"] == f"/work/a/{wheel}\n".encode()
    assert manifest.local


def test_the_entry_points_own_block_counts_first() -> None:
    files = {"main.py": INLINE, "requirements.txt": "idna"}
    assert installed(files) == "six>=1\n"
    assert find({**files, "main.py": "# /// script\n# ///\n"}) is None


def test_a_block_of_another_file_does_not_count() -> None:
    assert find({"other.py": INLINE}) is None


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (INLINE * 2, "two blocks"),
        ("# /// script\n# dependencies = []\nimport json\n", "has no end"),
        ('# /// script\n# dependencies = "six"\n# ///\n', "list of texts"),
        ("# /// script\n# dependencies = [\n# ///\n", "not valid TOML"),
        ('# /// script\n# dependencies = ["--index-url https://evil.example"]\n# ///\n', "no requirement"),
        ('# /// script\n# dependencies = ["x @ git+https://x.org/y"]\n# ///\n', "version control"),
        (
            '# /// script\n# dependencies = ["six"]\n# [tool.uv.sources]\n# six = {git = "https://x.org/y"}\n# ///\n',
            "lock",
        ),
        ('# /// script\n# dependencies = ["six"]\n# [[tool.uv.index]]\n# url = "https://x.org"\n# ///\n', "lock"),
    ],
)
def test_a_block_that_cannot_be_followed_is_refused(code: str, told: str) -> None:
    assert told in refusal({"main.py": code})


def test_a_scripts_lock_is_followed_and_its_code_is_no_part_of_the_set() -> None:
    lock = """version = 1
[manifest]
requirements = [{name = "six"}]
[[package]]
name = "six"
version = "1"
source = {registry = "https://index.example/simple"}
"""
    one, other = (find({"main.py": INLINE + code, "main.py.lock": lock}) for code in ("a = 1\n", "b = 2\n"))
    assert one is not None
    assert other is not None
    assert (one.installer, one.digest()) == ("uv-script", other.digest())
    assert b'"six>=1"' in one.files["main.py"]


def test_a_project_without_a_lock_is_taken_like_requirements() -> None:
    assert installed({"pyproject.toml": PROJECT}) == "six>=1\n"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"pyproject.toml": '[project]\nname = "c"\ndynamic = ["dependencies"]\n'}, "dynamic"),
        ({"pyproject.toml": PROJECT, "pdm.lock": ""}, "pdm export"),
        ({"pyproject.toml": PROJECT + '[tool.uv]\nindex = [{url = "https://x.org"}]\n'}, "Run uv lock"),
        ({"pyproject.toml": PROJECT, "uv.lock": "version = 1\n"}, "uv.lock lacks six"),
        ({"pyproject.toml": "[tool.flit.metadata]\nrequires = ['six']\n"}, "flit"),
        ({"setup.py": "setup(install_requires=['six'])"}, "setup.py is not followed"),
        ({"setup.cfg": "[options]\ninstall_requires =\n  six\n"}, "setup.cfg is not followed"),
        ({"environment.yml": "dependencies:\n- six\n"}, "environment.yml is not followed"),
        ({"environment.yaml": "dependencies:\n- six\n"}, "environment.yaml is not followed"),
        ({"pixi.toml": "[dependencies]\n"}, "pixi.toml is not followed"),
        ({"requirements.in": "six\n"}, "uv pip compile"),
        ({"requirements/base.txt": "six\n"}, "-r requirements/base.txt"),
        ({"Requirements.txt": "six\n"}, "spelled requirements.txt"),
        ({"pipfile": ""}, "spelled Pipfile"),
        ({"uv.lock": ""}, "pyproject.toml that it belongs to"),
        ({"poetry.lock": ""}, "pyproject.toml that it belongs to"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_its_name(files: dict[str, str], told: str) -> None:
    assert told in refusal(files)


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "setup()"},
        {"setup.cfg": "[flake8]\n"},
        {"environment.yml": "name: x\n"},
        {"requirements-dev.txt": "pytest\n"},
        {"requirements/dev.txt": "pytest\n"},
        {"tests/requirements.txt": "pytest\n"},
        {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"},
    ],
)
def test_files_that_ask_for_nothing_are_no_manifests(files: dict[str, str]) -> None:
    assert find(files) is None


def test_a_manifest_that_is_followed_makes_the_others_unimportant() -> None:
    assert installed({"requirements.txt": "six", "setup.py": "install_requires", "Pipfile": "[packages]\n"}) == "six\n"


def test_a_member_of_a_workspace_is_not_taken_without_its_lock() -> None:
    files = {"a/main.py": "", "a/pyproject.toml": PROJECT, "uv.lock": "version = 1\n"}
    assert "locks a workspace" in refusal(files, entrypoint="a/main.py")


def test_poetrys_lock_pins_what_its_table_names() -> None:
    table = POETRY + 'requests = {version = "^2.31", extras = ["socks"], markers = "sys_platform == \'linux\'"}\n'
    files = {"pyproject.toml": table + 'x = {version = "*", optional = true}\n', "poetry.lock": POETRY_LOCK}
    manifest = find(files)
    assert manifest is not None
    assert manifest.named == "pyproject.toml"
    assert manifest.files[manifest.main].decode().splitlines() == [
        "-c /work/poetry.lock.requirements.txt",
        'requests[socks]==2.32.3; sys_platform == "linux"',
    ]
    assert manifest.files["poetry.lock.requirements.txt"] == b"requests==2.32.3\n"


def test_poetrys_hashes_and_markers_are_kept_and_other_groups_left_out() -> None:
    lock = (
        f'[[package]]\nname = "six"\nversion = "1.16.0"\ngroups = ["main"]\nfiles = [{{file = "x", hash = "{HASH}"}}]\n'
        "markers = \"python_version < '3.13'\"\n"
        '[[package]]\nname = "pytest"\nversion = "8"\ngroups = ["dev"]\n'
    )
    wanted = installed({"pyproject.toml": POETRY + 'six = "*"\n', "poetry.lock": lock})
    assert set(wanted.splitlines()[1:]) == {f'six==1.16.0; python_version < "3.13" --hash={HASH}'}


def test_a_lock_of_poetry_2_is_installed_as_it_is() -> None:
    lock = POETRY_LOCK.replace("optional", 'groups = ["main"]\noptional')
    lock += '[[package]]\nname = "idna"\nversion = "3.7"\ngroups = ["main"]\noptional = false\n'
    lock += '[[package]]\nname = "extra"\nversion = "1"\ngroups = ["main"]\noptional = true\n'
    wanted = installed({"pyproject.toml": POETRY + 'requests = "*"\n', "poetry.lock": lock})
    assert wanted.splitlines()[1:] == ["requests==2.32.3", "requests==2.32.3", "idna==3.7"]


def test_poetry_2_names_its_dependencies_in_the_project() -> None:
    files = {"pyproject.toml": '[project]\ndependencies = ["requests (>=2)"]\n', "poetry.lock": POETRY_LOCK}
    assert installed(files).splitlines()[-1] == "requests>=2"


@pytest.mark.parametrize(
    ("table", "lock", "told"),
    [
        ('flask = "*"\n', POETRY_LOCK, "poetry.lock lacks flask"),
        ('requests = "*"\n', POETRY_LOCK + POETRY_LOCK, "several versions of requests"),
        ('requests = {git = "https://x.org/y"}\n', "", "version control"),
        ('requests = {path = "../x"}\n', "", "outside the archive"),
        ('requests = {version = "1", unknown = 1}\n', "", "poetry export"),
        ('requests = "^1 || ^2"\n', "", "poetry.lock"),
        ('requests = "*"\n[[tool.poetry.source]]\nname = "x"\nurl = "https://x.org"\n', "", "package index"),
        (
            'requests = "*"\n',
            POETRY_LOCK + '[package.source]\ntype = "legacy"\nurl = "https://x.org"\n',
            "index of its own",
        ),
    ],
)
def test_what_of_poetry_cannot_be_followed_is_refused(table: str, lock: str, told: str) -> None:
    files = {"pyproject.toml": POETRY + table} | ({"poetry.lock": lock} if lock else {})
    assert told in refusal(files)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("*", ""),
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("^0.0", ">=0.0,<0.1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2.*", "==1.2.*"),
        ("1.2.3", "==1.2.3"),
        (">=1,<2", ">=1,<2"),
        (">= 1 < 2", ">=1,<2"),
        ("~=1.4", "~=1.4"),
        ("!=1.5,>1", "!=1.5,>1"),
    ],
)
def test_a_constraint_of_poetry_is_told_in_the_standards_words(constraint: str, expected: str) -> None:
    assert specifier(constraint, where="x") == expected


def test_a_dependency_of_some_pythons_gets_a_marker() -> None:
    wanted = installed({"pyproject.toml": POETRY + 'six = {version = "^1.2", python = "^3.8"}\n'})
    assert wanted == 'six<2,>=1.2; python_full_version >= "3.8" and python_full_version < "4"\n'


def test_the_lock_of_pipenv_is_followed_to_the_version_and_the_hash() -> None:
    locked = {"six": {"version": "==1.16.0", "hashes": [HASH], "index": "pypi"}}
    lock = json.dumps({"default": locked, "develop": {"x": {}}})
    assert installed({"Pipfile": '[packages]\nsix = "*"\n', "Pipfile.lock": lock}) == f"six==1.16.0 --hash={HASH}\n"


def test_a_pipfile_without_a_lock_is_taken_like_requirements() -> None:
    pipfile = (
        '[packages]\nsix = "*"\nidna = {version = ">=3", markers = "python_version > \'3\'"}\n[dev-packages]\nx = "*"\n'
    )
    assert installed({"Pipfile": pipfile}) == 'six\nidna>=3; python_version > "3"\n'


@pytest.mark.parametrize(
    ("pipfile", "lock", "told"),
    [
        ('[packages]\nsix = "*"\n', '{"default": {}}', "Pipfile.lock lacks six"),
        ('[packages]\nsix = {git = "https://x.org/y"}\n', "", "version control"),
        ('[packages]\nsix = {file = "https://10.0.0.1/x.whl"}\n', "", "not a public one"),
        ('[[source]]\nurl = "https://x.org"\n[packages]\nsix = "*"\n', "", "package index"),
        ("[packages]\nsix = {sys_platform = \"== 'win32'\"}\n", "", "pipenv requirements"),
        ("[packages]\n", "{", "not valid JSON"),
    ],
)
def test_what_of_pipenv_cannot_be_followed_is_refused(pipfile: str, lock: str, told: str) -> None:
    files = {"Pipfile": pipfile} | ({"Pipfile.lock": lock} if lock else {})
    assert told in refusal(files)


WANTING = ">=3.12"


@pytest.mark.parametrize(
    "files",
    [
        {"main.py": INLINE.replace(">=3.10", WANTING)},
        {"pyproject.toml": PROJECT + f'requires-python = "{WANTING}"\n'},
        {"pyproject.toml": POETRY.replace("^3.11", "^3.12") + 'six = "*"\n'},
        {"pylock.toml": f'requires-python = "{WANTING}"\n[[packages]]\nname = "six"\n'},
    ],
    ids=["inline", "project", "poetry", "pylock"],
)
def test_a_manifest_for_another_python_is_refused_and_taken_by_a_runtime_that_has_it(files: dict[str, str]) -> None:
    told = refusal(files)
    assert "runtime has Python 3.11" in told
    assert "--runtime" in told
    assert find(files, runtime="python-3.13") is not None


@pytest.mark.parametrize("wanted", [">=3.11.4", "<3.11.9", "==3.11.*", "~=3.11"])
def test_a_patch_of_the_runtimes_python_may_be_wanted(wanted: str) -> None:
    assert find({"pyproject.toml": PROJECT + f'requires-python = "{wanted}"\n'}) is not None
