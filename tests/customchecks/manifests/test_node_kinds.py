"""Which locks and settings of Node are followed, from where, and what is told of those that cannot be."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest

from customchecks.archives import script_archive
from customchecks.dependencies import detection
from customchecks.dependencies.detection import ScriptUse
from customchecks.manifests import public_indexes
from customchecks.manifests.manifest import Manifest, ManifestRefused
from tests.factories import tgz

WANTING = json.dumps({"dependencies": {"x": "^1"}})


def find(files: Mapping[str, str | bytes], *, entrypoint: str = "index.js") -> Manifest | None:
    found = script_archive.normalise(io.BytesIO(tgz({"index.js": "", **files})), strip_top=False)
    return detection.find(found, ScriptUse(runtime="node", entrypoint=entrypoint))


def taken(files: Mapping[str, str | bytes], *, entrypoint: str = "index.js") -> Manifest:
    manifest = find(files, entrypoint=entrypoint)
    assert manifest is not None
    return manifest


def refusal(files: Mapping[str, str | bytes]) -> str:
    with pytest.raises(ManifestRefused) as refused:
        find(files)
    return str(refused.value)


def lock_with(entry: dict[str, Any], **others: Any) -> dict[str, Any]:
    """What is left of the lock's entry."""
    lock = {"packages": {"": {"dependencies": {"x": "^1"}}, "node_modules/x": entry}, **others}
    manifest = taken({"package.json": WANTING, "package-lock.json": json.dumps(lock)})
    found: dict[str, Any] = json.loads(manifest.files["package-lock.json"])["packages"]["node_modules/x"]
    return found


@pytest.mark.parametrize("name", ["yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock"])
def test_a_lock_that_npm_would_not_follow_is_refused_by_its_name(name: str) -> None:
    told = refusal({"package.json": WANTING, name: ""})
    assert told.startswith(name)
    assert "package-lock.json" in told


def test_npms_own_lock_counts_beside_another_one() -> None:
    assert taken({"package.json": WANTING, "package-lock.json": "{}", "yarn.lock": ""}).installer == "npm-ci"


@pytest.mark.parametrize("name", ["yarn.lock", "deno.json"])
def test_a_lock_without_dependencies_is_nothing(name: str) -> None:
    assert find({"package.json": "{}", name: ""}) is None


@pytest.mark.parametrize(
    "package",
    [
        {"resolutions": {"y": "2"}},
        {"pnpm": {"overrides": {"y": "2"}}},
        {"catalog": {"y": "2"}},
    ],
)
def test_versions_that_npm_would_not_look_at_are_refused(package: dict[str, Any]) -> None:
    told = refusal({"package.json": json.dumps({"dependencies": {"x": "1"}, **package})})
    assert next(iter(package)) in told


@pytest.mark.parametrize("group", ["dependencies", "optionalDependencies", "devDependencies"])
def test_dependencies_in_another_form_are_refused(group: str) -> None:
    package = {"dependencies": {"x": "1"}, group: ["y@github:x/y"]}
    assert f"{group} is an object" in refusal({"package.json": json.dumps(package)})


@pytest.mark.parametrize("name", ["deno.json", "deno.jsonc"])
def test_imports_of_deno_are_refused(name: str) -> None:
    assert "package.json" in refusal({name: '{"imports": {"x": "npm:x@1"}}'})


def test_the_registry_of_a_lock_gives_way_to_the_operators() -> None:
    resolved = "https://artifactory.corp.example/artifactory/api/npm/npm/x/-/x-1.0.0.tgz"
    entry = {"version": "1.0.0", "resolved": resolved, "integrity": "sha512-x"}
    assert lock_with(entry) == {"version": "1.0.0", "integrity": "sha512-x"}


@pytest.mark.parametrize(
    "resolved",
    [
        "https://artifactory.corp.example/npm/@scope/x/-/x-1.0.0.tgz",
        "https://registry.yarnpkg.com/x/-/x-1.0.0.tgz#0123",
        "https://nexus.corp.example/repository/npm/@scope%2fx/-/x-1.0.0.tgz",
    ],
)
def test_a_tarball_of_any_registry_is_told_by_its_path(resolved: str) -> None:
    assert "resolved" not in lock_with({"version": "1.0.0", "resolved": resolved})


@pytest.mark.parametrize(
    "resolved", [f"{public_indexes.NPM_REGISTRY}/x/-/x-1.0.0.tgz", "https://files.example.com/x-1.0.0.tgz"]
)
def test_other_tarballs_stay_where_they_are(resolved: str) -> None:
    assert lock_with({"version": "1.0.0", "resolved": resolved})["resolved"] == resolved


def test_a_tarball_that_is_named_by_its_address_stays_there() -> None:
    url = "https://files.example.com/x/-/x-1.0.0.tgz"
    entry = {"version": "1.0.0", "resolved": url}
    assert lock_with(entry, dependencies={"y": {"requires": {"x": url}}})["resolved"] == url


@pytest.mark.parametrize("name", ["legacy-peer-deps", "strict-peer-deps", "engine-strict", "install-strategy"])
def test_settings_that_only_change_how_is_resolved_are_used(name: str) -> None:
    manifest = taken({"package.json": WANTING, ".npmrc": f"; why\n{name} = true\nfund=false\n"})
    assert manifest.files[".npmrc"] == f"{name}=true\n".encode()


@pytest.mark.parametrize(
    "line", ["fund=false", "# nothing", "audit = false", f"registry={public_indexes.NPM_REGISTRY}/", "save-exact=true"]
)
def test_settings_without_an_effect_are_left_out(line: str) -> None:
    assert ".npmrc" not in taken({"package.json": WANTING, ".npmrc": line}).files


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("registry=https://npm.corp.example/", "TECKO_NPM_REGISTRY"),
        ("@corp:registry=https://npm.corp.example/", "TECKO_NPM_REGISTRY"),
        ("//npm.corp.example/:_authToken=${NPM_TOKEN}", "TECKO_NPM_REGISTRY"),
        ("_auth=aGk=", "TECKO_NPM_REGISTRY"),
        ("script-shell=/bin/sh", "Take the line out"),
        ("node-options=--require ./x.js", "not a setting that is understood"),
        ("git=./git", "Take the line out"),
        ("cafile=x", "Take the line out"),
        ("legacy-peer-deps=${X}", "Take the line out"),
        ("userconfig=./x", "Take the line out"),
    ],
)
def test_settings_that_change_where_packages_come_from_are_refused(line: str, told: str) -> None:
    assert told in refusal({"package.json": WANTING, ".npmrc": line})


@pytest.mark.parametrize("place", ["checks/nightly/", "checks/", ""])
def test_the_package_nearest_to_the_entry_point_counts(place: str) -> None:
    files = {"checks/nightly/index.js": "", "README.md": "", f"{place}package.json": WANTING}
    assert taken(files, entrypoint="checks/nightly/index.js").main == f"{place}package.json"


def test_a_package_that_only_tells_its_type_leaves_it_to_the_folder_above() -> None:
    files = {"a/index.js": "", "a/package.json": '{"type": "module"}', "package.json": WANTING}
    assert taken(files, entrypoint="a/index.js").main == "package.json"


def test_a_package_in_utf_16_is_handed_over_as_utf_8() -> None:
    assert json.loads(taken({"package.json": WANTING.encode("utf-16")}).files["package.json"]) == json.loads(WANTING)
