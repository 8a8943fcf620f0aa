"""Real installations from the package index, and checks that use them."""

import io
import json
import zipfile
from dataclasses import replace

import pytest
import trustme

from customchecks.dependencies.models import DependencySet, SetState
from polling.base.results import Cause
from tests.customchecks.dependencies.conftest import Box
from tests.factories import tgz
from tests.security import boxes

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.django_db(transaction=True)]


def wheel(name: str) -> bytes:
    """The smallest that is one."""
    info = f"{name}-1.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


PROJECT = '[project]\nname = "script"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["iniconfig"]\n'


def test_a_second_check_needs_no_installation_and_no_network(box: Box) -> None:
    first = box.prepare({"requirements.txt": "iniconfig\n"})
    second = box.prepare({"requirements.txt": "# again\niniconfig\n"})
    outcome = box.run(second, "import iniconfig; print(iniconfig.__file__)")
    assert first.timings["install"] > 0
    assert (second.volumes, second.timings) == (first.volumes, {})
    assert outcome.stdout.startswith(b"/deps/python/lib/"), outcome.stderr


def test_scripts_share_a_volume_and_cannot_write_it(box: Box) -> None:
    attack = """import pathlib, iniconfig
for target in (pathlib.Path(iniconfig.__file__), pathlib.Path("/deps/new"), pathlib.Path("/deps/python/bin/python3")):
    for act in (lambda: target.write_text("evil"), target.unlink, lambda: target.chmod(0o777)):
        try: act(); print("done", target)
        except (OSError): pass"""
    one = box.prepare({"requirements.txt": "iniconfig\n"}, owner="custom:1")
    other = box.prepare({"requirements.txt": "iniconfig\n"}, owner="custom:2")
    assert one.volumes == other.volumes
    assert (box.run(one, attack).stdout, box.run(other, "import iniconfig").exit_code) == (b"", 0)


def test_the_size_and_the_log_are_kept(box: Box) -> None:
    prepared = box.prepare({"requirements.txt": "iniconfig\n"}, run_id="check-1")
    kept = DependencySet.objects.get(key=prepared.key)
    assert 100_000 < kept.size < 3_000_000
    assert "iniconfig" in kept.log
    assert kept.check_id == "check-1"


def test_node_finds_packages_by_require_and_by_import(box: Box) -> None:
    prepared = box.prepare({"package.json": '{"dependencies": {"is-number": "^7.0.0"}}'})
    required = box.run(prepared, 'console.log(require("is-number")(1))', runtime="node")
    imported = box.run(prepared, 'import("is-number").then(found => console.log(found.default(1)))', runtime="node")
    assert required.stdout == b"true\n", prepared
    assert imported.stdout == b"true\n", imported.stderr


def test_node_finds_a_folder_of_the_archive(box: Box) -> None:
    files = {
        "package.json": '{"dependencies": {"ours": "file:./lib"}}',
        "lib/package.json": '{"name": "ours", "version": "1.0.0"}',
        "lib/index.js": "module.exports = 'ours'",
    }
    prepared = box.prepare(files)
    request = boxes.request("", runtime="node", network="none", volumes=prepared.volumes)
    code = {"main.js": 'console.log(require("ours"))'}
    outcome = box.sandbox.run(replace(request, archive=tgz(files | code)))
    assert outcome.stdout == b"ours\n", (prepared, outcome)


def test_a_lock_of_npm_is_followed(box: Box) -> None:
    lock = {
        "lockfileVersion": 3,
        "packages": {
            "": {"dependencies": {"is-number": "^7.0.0"}},
            "node_modules/is-number": {"version": "6.0.0"},
        },
    }
    files = {"package.json": '{"dependencies": {"is-number": "^7.0.0"}}', "package-lock.json": json.dumps(lock)}
    prepared = box.prepare(files)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "lock file" in prepared.log


LOCKING = f"""import pathlib, subprocess, sys
pathlib.Path("pyproject.toml").write_text({PROJECT!r})
for words in (["lock"], ["export", "--format", "pylock.toml", "--no-emit-project", "--output-file", "pylock.toml"]):
    subprocess.run(["uv", *words, "--quiet"], check=True, stdout=2)
print(pathlib.Path(sys.argv[0]).with_name(LOCK).read_text())"""


@pytest.mark.parametrize(("name", "others"), [("uv.lock", {"pyproject.toml": PROJECT}), ("pylock.toml", {})])
def test_a_lock_of_uv_is_followed(box: Box, name: str, others: dict[str, str]) -> None:
    locking = box.sandbox.run(boxes.request(f"LOCK = {name!r}\n{LOCKING}"))
    lock = locking.stdout.decode()
    prepared = box.prepare({name: lock, **others})
    assert prepared.key, locking.stderr
    assert box.run(prepared, "import iniconfig").exit_code == 0, prepared


@pytest.mark.parametrize("place", ["package.json", "lib/package.json"])
def test_scripts_of_packages_do_not_run(box: Box, place: str) -> None:
    scripts = dict.fromkeys(("preinstall", "install", "postinstall", "prepublish", "prepare"), "exit 3")
    packages = {
        "package.json": {"dependencies": {"ours": "file:./lib"}},
        "lib/package.json": {"name": "ours", "version": "1.0.0"},
    }
    packages[place]["scripts"] = scripts
    assert box.prepare({name: json.dumps(package) for name, package in packages.items()}).cause is None


def test_a_wheel_of_the_archive_is_installed_for_its_job_alone(box: Box) -> None:
    files = {"requirements.txt": "./ours-1-py3-none-any.whl", "ours-1-py3-none-any.whl": wheel("ours")}
    prepared = [box.prepare(files, owner=f"custom:{number}") for number in (1, 2)]
    assert box.run(prepared[0], "import ours").exit_code == 0, prepared
    assert prepared[0].volumes != prepared[1].volumes


def test_nothing_is_built_from_source_unless_the_job_allows_it(box: Box) -> None:
    files = {"requirements.txt": "sgmllib3k==1.0.0\n"}  # published without a wheel
    refused = box.prepare(files)
    built = box.prepare(files, source_builds=True)
    assert refused.cause is Cause.DEPS_FAILED
    assert "sgmllib3k" in refused.failure
    assert "allow_source_builds" in refused.failure
    assert box.run(built, "import sgmllib").exit_code == 0, built


def test_a_failure_is_remembered_and_tried_again_later(box: Box) -> None:
    files = {"requirements.txt": "iniconfig==999.0\n"}
    first = box.prepare(files)
    second = box.prepare(files)
    assert first.cause is second.cause is Cause.DEPS_FAILED
    assert "999.0" in first.log
    assert (second.log, second.timings) == ("", {})
    assert "is not tried again" in second.failure
    assert DependencySet.objects.get(key=first.key).state == SetState.FAILED
    assert box.volumes() == []


def test_a_set_that_is_too_large_fails_and_leaves_nothing(box: Box, settings) -> None:
    settings.TECKO_DEPS_CACHE_MB = 1
    prepared = box.prepare({"requirements.txt": "setuptools\n"})
    assert prepared.cause is Cause.DEPS_FAILED
    assert "more than 0 MB" in prepared.failure
    assert box.volumes() == []


def test_the_operators_registry_is_the_one_that_is_asked(box: Box, settings) -> None:
    settings.TECKO_NPM_REGISTRY = "https://registry.invalid/"
    prepared = box.prepare({"package.json": '{"dependencies": {"is-number": "7"}}'})
    assert prepared.cause is Cause.DEPS_FAILED
    assert "registry.invalid" in prepared.log


@pytest.mark.parametrize(
    "files", [{"requirements.txt": "iniconfig\n"}, {"package.json": '{"dependencies": {"is-number": "7"}}'}]
)
def test_an_installation_trusts_the_operators_authorities_and_no_others(files: dict[str, str]) -> None:
    box = Box(ca_bundle=trustme.CA().cert_pem.bytes())
    prepared = box.prepare(files)
    box.close()
    assert prepared.cause is Cause.DEPS_FAILED
    assert "certificate" in prepared.log.lower()
    assert "TECKO_CA_BUNDLE" in prepared.failure


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"requirements.txt": "iniconfig\n"}, "TECKO_PIP_INDEX_URL"),
        ({"package.json": '{"dependencies": {"is-number": "7"}}'}, "TECKO_NPM_REGISTRY"),
    ],
)
def test_an_index_that_our_own_packet_rules_refuse_is_told_by_its_address(
    box: Box, settings, files: dict[str, str], name: str
) -> None:
    setattr(settings, name, "https://10.1.2.3/simple/")
    prepared = box.prepare(files)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "TECKO_EGRESS_ALLOW" in prepared.failure
    assert ",10.1.2.3" in f",{prepared.failure.partition('TECKO_EGRESS_ALLOW=')[2]}"


def test_an_index_that_is_down_is_an_error_of_the_installation(box: Box, settings) -> None:
    settings.TECKO_PIP_INDEX_URL = "https://somebody:hunter2hunter2@index.invalid/simple"
    prepared = box.prepare({"requirements.txt": "iniconfig\n"})
    kept = DependencySet.objects.get(key=prepared.key)
    assert prepared.cause is Cause.DEPS_FAILED
    assert "hunter2" not in prepared.failure + prepared.log + kept.log + kept.error
