"""What is taken from a manifest and what is refused, before anything runs."""

import io
import json
import tarfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.manifests.manifest import Manifest, ManifestRefused
from tests.factories import tgz

PYTHON, NODE = ScriptUse(runtime="python", entrypoint="main.py"), ScriptUse(runtime="node", entrypoint="index.js")
UV_LOCK = """version = 1
[[package]]
name = "script"
version = "0"
source = {{ virtual = "." }}
[[package]]
name = "other"
version = "1"
source = {{ {source} }}
"""


def archive(**files: str) -> Archive:
    named = {name.replace("__", "/"): content for name, content in files.items()}
    return script_archive.normalise(io.BytesIO(tgz({"main.py": "", "index.js": "", **named})))


def python(requirements: str, *, source_builds: bool = False, **files: str) -> Manifest | None:
    found = archive(**{"requirements.txt": requirements, **files})
    return detection.find(found, ScriptUse(runtime="python", entrypoint="main.py", source_builds=source_builds))


def node(lock: object = None, **package: object) -> Manifest | None:
    files = {"package.json": json.dumps(package)} | ({"package-lock.json": json.dumps(lock)} if lock else {})
    return detection.find(archive(**files), NODE)


@pytest.mark.parametrize(
    "line",
    [
        "-e git+ssh://git@example.com/x.git#egg=x",
        "git+https://example.com/x.git",
        "x @ git+https://example.com/x.git",
        "--index-url http://evil.example/simple",
        "--index-url=https://evil.example/simple",
        "-ihttps://evil.example/simple",
        "--extra-index-url https://evil.example/simple",
        "--find-links https://evil.example/",
        "-f .",
        "--trusted-host evil.example",
        "--no-binary :all:",
        "--config-settings x",
        "x --install-option=y",
        "-r /etc/passwd",
        "-r/etc/passwd",
        "--requirement=../../etc/passwd",
        "-c https://evil.example/constraints.txt",
        "-r missing.txt",
        "file:///etc/passwd",
        "x @ file:///etc/x.whl",
        "/etc/x.whl",
        "../x.whl",
        "~/x.whl",
        "x @ https://10.0.0.1/x.whl",
        "https://169.254.169.254/latest/x.whl",
        "https://[::ffff:10.0.0.1]/x.whl",
        "https://2130706433/x.whl",
        "https://localhost/x.whl",
        "http://example.com/x.whl",
        "https://user:pass@example.com/x.whl",
        "x @ https://example.com/${UV_DEFAULT_INDEX}/x.whl",
        "-e .",
        "./package",
        "x==1 \\\n --index-url https://evil.example/simple",
        "# a comment that goes on \\\n--index-url https://evil.example/simple",
        "x\u2028--index-url https://evil.example/simple",
        "--pre --index-url https://evil.example/simple",
        "--only-binary :none:",
        "--only-binary :all: --index-url https://evil.example/simple",
        "--only-binary x --pre",
        "--only-binary --pre",
        "--only-binary=x --extra-index-url=https://evil.example/simple",
        "--no-binary=x",
        "--uploaded-prior-to x",
        "x @ https:/10.0.0.1/x.whl",
        "HTTPS:evil.example/x.whl",
        "x --hash sha256:0 -i http://evil.example/simple",
        f"x --hash=sha256:{'0' * 64} -i http://evil.example/simple",
        f"x --hash=sha256:{'0' * 64} --index-url=http://evil.example/simple",
        "x --hash",
        "x --hash-algorithm=sha256:0",
        "x --hash=md5:0",
        "x -i http://evil.example/simple",
        "x-i http://evil.example",
        "FILE:///etc/x.whl",
        "x @ FILE:///etc/x.whl",
        "x @ Git+https://example.com/x.git",
        "x\u00a0--index-url https://evil.example/simple",
        "x @ https://files.example.com/x.tar.gz",
        "https://files.example.com/x.tar.gz",
        "./missing-1-py3-none-any.whl",
        "x==1 y==2",
        "x==not-a-version",
        "\uff52equests",
        "./x%2f..%2f..-1-py3-none-any.whl",
        "-r -c",
        "x ; python_version >",
        "$(id)",
        "x`id`",
    ],
)
def test_a_hostile_requirement_is_refused(line: str) -> None:
    with pytest.raises(ManifestRefused):
        python(f"requests\n{line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests>=2,<3  # why",
        "requests[socks] == 2.32.* ; python_version > '3'",
        "requests (>=2)",
        "six==1.16.0 --hash sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
        "zope.interface~=6.0",
        "six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
        "x @ https://files.example.com/x-1-py3-none-any.whl#sha256=00",
        "--require-hashes\nsix",
        "--only-binary :all:\nsix",
        "--only-binary=six, idna\nsix",
    ],
)
def test_an_ordinary_requirement_is_taken_as_it_is(line: str) -> None:
    manifest = python(line)
    assert manifest is not None
    assert not manifest.local


def test_included_files_are_part_of_the_manifest_and_nothing_else_is() -> None:
    manifest = python(
        "-r more/base.txt\n", more__base="", **{"more/base.txt": "six\n-c limits.txt", "more/limits.txt": ""}
    )
    assert manifest is not None
    assert set(manifest.files) == {"requirements.txt", "more/base.txt", "more/limits.txt"}


def test_the_installer_reads_what_was_checked_and_no_comment() -> None:
    manifest = python("six \\\n  >=1  # hash\n# \\\nidna\r\n")
    assert manifest is not None
    assert manifest.files["requirements.txt"] == b"six>=1\nidna\n"


def test_requirements_that_differ_in_comments_are_the_same_set() -> None:
    one, other = python("six\n"), python("# needed\nsix  # really\n\n")
    assert one is not None
    assert other is not None
    assert one.digest() == other.digest()


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "-c limits.txt"])
def test_requirements_that_name_nothing_need_no_installation(text: str) -> None:
    assert python(text, **{"limits.txt": "six<2"}) is None


def test_a_wheel_of_the_archive_makes_the_set_the_jobs_own() -> None:
    manifest = python("./x-1-py3-none-any.whl", **{"x-1-py3-none-any.whl": ""})
    assert manifest is not None
    assert manifest.local


def test_a_folder_is_built_only_where_the_job_allows_it() -> None:
    files = {"package/setup.py": ""}
    manifest = python("-e ./package", source_builds=True, **files)
    assert manifest is not None
    assert manifest.local
    with pytest.raises(ManifestRefused, match="allow_source_builds"):
        python("-e ./package", **files)


@given(st.text(max_size=60))
def test_no_text_of_a_requirement_breaks_the_parser(text: str) -> None:
    try:
        manifest = python(text.encode("utf-8", "replace").decode())
    except ManifestRefused:
        return
    assert manifest is None or b"index-url" not in manifest.files["requirements.txt"]


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ('registry = "https://example.com/simple"', False),
        ('git = "https://example.com/x?rev=1#2"', True),
        ('url = "https://10.0.0.1/x.whl"', True),
        ('directory = "lib"', True),
        ('path = "../x.whl"', True),
    ],
)
def test_a_uv_lock_is_checked_package_by_package(source: str, refused: bool) -> None:
    files = {"pyproject.toml": "[project]\nname='script'", "uv.lock": UV_LOCK.format(source=source)}
    found = archive(**files)
    if refused:
        with pytest.raises(ManifestRefused):
            detection.find(found, PYTHON)
    else:
        manifest = detection.find(found, PYTHON)
        assert manifest is not None
        assert manifest.installer == "uv"


@pytest.mark.parametrize(
    "entry",
    [
        'vcs = {type = "git", url = "https://example.com/x"}',
        'archive = {url = "https://127.0.0.1/x.tar.gz"}',
        'wheels = [{name = "x.whl", url = "https://192.168.0.1/x.whl"}]',
        'wheels = [{name = "x.whl", path = "/etc/x.whl"}]',
        'directory = {path = "/etc"}',
    ],
)
def test_a_hostile_pylock_is_refused(entry: str) -> None:
    lock = f'lock-version = "1.0"\n[[packages]]\nname = "x"\n{entry}\n'
    with pytest.raises(ManifestRefused):
        detection.find(archive(**{"pylock.toml": lock}), PYTHON)


def test_a_project_file_for_linters_needs_no_lock() -> None:
    assert detection.find(archive(**{"pyproject.toml": "[tool.ruff]\n"}), PYTHON) is None


@pytest.mark.parametrize(
    "text",
    [
        "file:/etc",
        "file:../x",
        "../x",
        "/etc",
        "~/x",
        "link:/etc",
        "git+ssh://git@example.com/x.git",
        "git://example.com/x.git",
        "git@example.com:x/y.git",
        "github:x/y",
        "x/y#main",
        "http://example.com/x.tgz",
        "https://10.0.0.1/x.tgz",
        "https:/10.0.0.1/x.tgz",
        "https:example.com/x.tgz",
        " github:x/y",
        "\tx/y",
        "\x01github:x/y",
        "git\thub:x/y",
        " file:/etc",
        "FILE:/etc",
        "File:../x",
        "GIT+ssh://example.com/x",
        "GitHub:x/y",
        "HTTPS://10.0.0.1/x.tgz",
        "http:example.com/x.tgz",
        "workspace:*",
        "link:./x",
        "portal:./x",
        "patch:x@1#./x.patch",
        "jsr:@x/y",
        "catalog:",
        "exec:./x",
        "gist:1234",
        "file:./x%2f..%2f..",
        "npm:../x",
        "npm:x@https://10.0.0.1/x.tgz",
        "user@host.example:x/y",
        "../x.tgz",
        "/x.tgz",
        "C:/x",
    ],
)
@pytest.mark.parametrize("group", ["dependencies", "devDependencies"])
def test_a_hostile_dependency_is_refused(group: str, text: str) -> None:
    with pytest.raises(ManifestRefused):
        node(**({"dependencies": {"y": "1"}} | {group: {"x": text}}))


@pytest.mark.parametrize(
    "text", ["git+ssh://git@example.com/x.git#1", "https://10.0.0.1/x.tgz", "file:/etc/x.tgz", "../x"]
)
@pytest.mark.parametrize("shape", ["packages", "dependencies"])
def test_a_hostile_lock_is_refused(shape: str, text: str) -> None:
    with pytest.raises(ManifestRefused):
        node({shape: {"node_modules/x": {"resolved": text}}}, dependencies={"x": "1"})


def test_a_lock_is_checked_for_what_its_packages_depend_on() -> None:
    with pytest.raises(ManifestRefused, match="version control"):
        node({"packages": {"node_modules/x": {"dependencies": {"y": "github:x/y"}}}}, dependencies={"x": "1"})


def test_a_lock_from_the_registry_is_taken() -> None:
    entry = {
        "version": "1.0.0",
        "resolved": "https://registry.example.com/x-1.0.0.tgz",
        "dependencies": {"y": "^1 || 2"},
    }
    manifest = node({"packages": {"node_modules/x": entry}}, dependencies={"x": "1"})
    assert manifest is not None
    assert (manifest.installer, manifest.local) == ("npm-ci", False)


@pytest.mark.parametrize("text", ["^1.2.3", "latest", "*", "", "npm:other@^1", "npm:@scope/x@1", "1 || 2", ">=1 <2"])
def test_an_ordinary_dependency_is_taken(text: str) -> None:
    manifest = node(dependencies={"x": text})
    assert manifest is not None
    assert (manifest.installer, manifest.local) == ("npm-install", False)


def test_a_package_without_dependencies_needs_no_installation() -> None:
    assert node(type="module", scripts={"postinstall": "x"}, devDependencies={"x": "1"}) is None


def test_modules_that_come_with_the_archive_are_left_alone() -> None:
    found = archive(**{"package.json": '{"dependencies": {"x": "1"}}', "node_modules/x/index.js": ""})
    assert detection.find(found, NODE) is None


def test_a_manifest_is_read_once_for_each_archive_and_way_of_installing() -> None:
    found, prints = archive(**{"requirements.txt": "requests\n"}), detection.Fingerprints()
    known = prints.find(found, PYTHON)
    unreadable = replace(found, content=b"")
    assert known
    assert prints.find(unreadable, PYTHON) == known
    with pytest.raises(tarfile.ReadError):
        prints.find(unreadable, replace(PYTHON, source_builds=True))
    assert prints.find(unreadable, NODE) is None


def test_fingerprints_tell_sets_apart() -> None:
    texts = ("requests\n", "requests==2.0\n", "./ours.whl\n")
    found = [
        detection.Fingerprints().find(archive(**{"requirements.txt": text, "ours.whl": "x"}), PYTHON) for text in texts
    ]
    assert len({one.digest for one in found if one}) == 3
    assert [one.local for one in found if one] == [False, False, True]


def test_a_refused_manifest_is_refused_each_time() -> None:
    prints, found = detection.Fingerprints(), archive(**{"requirements.txt": "-e git+https://x.org/y\n"})
    for _ in range(2):
        with pytest.raises(ManifestRefused):
            prints.find(found, PYTHON)
