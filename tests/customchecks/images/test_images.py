"""Runner images: the real ones as scripts meet them; how they are built with small ones that only hold a file."""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import json
import os
import secrets
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from pytest_httpserver import HTTPServer

from customchecks.docker.engine import Engine, EngineError, NotFound
from customchecks.images import current, offline_base, runtimes
from customchecks.images.builder import Builder
from customchecks.images.recipes import BASE_LABEL, RECIPE_LABEL, RUNTIME_LABEL, Recipe
from customchecks.sandbox.request import SandboxRequest
from tests.factories import tgz
from tests.security import boxes

pytestmark = pytest.mark.engine

DOCKERFILE = b"ARG BASE\nFROM ${BASE}\nCOPY launcher /\n"
PYTHON = runtimes.named("python")
TAG = offline_base.debian_tag(PYTHON)
EVERY_WORD = [row.word for row in runtimes.ROWS]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def tar(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Workshop:
    """Builders with images of their own, on a base that is there; what they say is in ``lines``."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.home = home
        self.repository = f"teckochecker-test/{secrets.token_hex(5)}"
        self.bases = f"{self.repository}-base"
        self.base = f"{self.bases}:{TAG}"
        self.lines: list[str] = []
        engine.import_image(io.BytesIO(tar(base=b"")), repository=self.bases, tag=TAG, changes=[])

    def recipe(self, **values: Any) -> Recipe:
        launcher = {"main.py": secrets.token_bytes(8)}
        fields = {"base": self.base, "dockerfile": DOCKERFILE, "launcher": launcher, "uv": None}
        return Recipe(runtime=PYTHON, repository=self.repository, **(fields | values))

    def builder(self, **values: Any) -> Builder:
        fields = {"home": self.home, "owner": "us", "base_repository": self.bases}
        return Builder(self.engine, progress=self.lines.append, **(fields | values))

    def labels(self, image: str) -> dict[str, str]:
        return dict(self.engine.image(image)["Config"]["Labels"])

    def has_built(self) -> bool:
        return any("Step " in line for line in self.lines)

    def clear(self) -> None:
        for image in self.engine.images({}):
            for tag in image["RepoTags"] or ():
                if tag.startswith(self.repository):
                    self.engine.remove_image(tag)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()


@pytest.fixture
def workshop(engine: Engine, tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(engine, tmp_path)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[[str, str], str]]:
    """Runs a shell command as a check of a runtime would run; returns what it printed."""
    current.build_all(EVERY_WORD, progress=print)
    _, sandbox = boxes.instance_sandbox()

    def run(runtime: str, command: str) -> str:
        outcome = sandbox.run(
            SandboxRequest(
                runtime=runtime,
                argv=("sh", "-c", command),
                archive=tgz({"file": ""}),
                claim_id=secrets.token_hex(8),
                env={},
                network="none",
            )
        )
        assert outcome.cause is None, outcome.message
        return outcome.stdout.decode().strip()

    yield run
    sandbox.dismantle()
    sandbox.close()


@pytest.mark.parametrize(
    ("runtime", "command", "start"),
    [
        ("python", "python3 --version", "Python 3.11."),
        ("python", "python --version", "Python 3.11."),
        ("python", "uv --version", "uv "),
        ("python-3.11", "python3 --version", "Python 3.11."),
        ("python-3.13", "python3 --version", "Python 3.13."),
        ("python-3.13", "python --version", "Python 3.13."),
        ("python-3.14", "python3 --version", "Python 3.14."),
        ("node", "node --version", "v20."),
        ("node", "npm --version", "10."),
        ("node", "npx --version", "10."),
        ("node", "python3 --version", "Python 3."),
        ("node-20", "node --version", "v20."),
        ("node-22", "node --version", "v22."),
        ("node-22", "npm --version", "10."),
        ("node-24", "node --version", "v24."),
        ("node-24", "npm --version", "11."),
    ],
)
def test_each_image_has_its_programs(ask: Callable[[str, str], str], runtime: str, command: str, start: str) -> None:
    assert ask(runtime, command).startswith(start)


@pytest.mark.parametrize("runtime", EVERY_WORD)
def test_scripts_are_the_user_runner(ask: Callable[[str, str], str], runtime: str) -> None:
    assert ask(runtime, "id") == "uid=1000(runner) gid=1000(runner) groups=1000(runner)"


@pytest.mark.parametrize("runtime", EVERY_WORD)
def test_the_image_cannot_be_written(ask: Callable[[str, str], str], runtime: str) -> None:
    assert ask(runtime, "touch /usr/local/new /deps/new 2>&1 | grep -c 'Read-only file system'") == "2"


@pytest.mark.parametrize("runtime", EVERY_WORD)
def test_no_file_is_setuid_or_setgid(ask: Callable[[str, str], str], runtime: str) -> None:
    assert ask(runtime, "find / -xdev -perm /6000 2>/dev/null") == ""


@pytest.mark.parametrize("runtime", EVERY_WORD)
def test_all_of_the_launcher_is_compiled(ask: Callable[[str, str], str], runtime: str) -> None:
    files = ask(runtime, "cd /usr/local/lib/teckochecker/launcher && ls *.py __pycache__/*.pyc").split()
    sources = {Path(name).stem for name in files if name.endswith(".py")}
    assert sources == {Path(name).name.split(".")[0] for name in files if name.endswith(".pyc")} >= {"main", "script"}


@pytest.mark.parametrize("runtime", EVERY_WORD)
def test_the_current_image_carries_runtime_and_recipe(engine: Engine, runtime: str) -> None:
    image = current.build(runtime, progress=print)
    labels = engine.image(image)["Config"]["Labels"]
    assert current.current(runtime, engine=engine) == image
    recipe = current.recipe(runtime)
    assert (labels[RUNTIME_LABEL], labels[RECIPE_LABEL]) == (recipe.tag, recipe.hash)


@pytest.mark.parametrize("field", ["base", "dockerfile", "launcher"])
def test_a_recipe_is_all_that_decides(field: str) -> None:
    recipe = current.recipe("node")
    before = getattr(recipe, field)
    changed = {**before, "main.py": before["main.py"][:-1]} if field == "launcher" else before[:-1]
    assert dataclasses.replace(recipe, **{field: changed}).hash != recipe.hash


def test_a_current_image_is_not_built_again(workshop: Workshop) -> None:
    recipe = workshop.recipe()
    image = workshop.builder().build(recipe)
    workshop.lines.clear()
    assert workshop.builder().build(recipe) == image
    assert not workshop.has_built()


def test_force_builds_a_current_image_again(workshop: Workshop) -> None:
    recipe = workshop.recipe()
    image = workshop.builder().build(recipe)
    assert workshop.builder().build(recipe, force=True) != image


def test_another_recipe_replaces_the_image(workshop: Workshop, engine: Engine) -> None:
    before = workshop.builder().build(workshop.recipe())
    recipe = workshop.recipe()
    after = workshop.builder().build(recipe)
    assert workshop.labels(after)[RECIPE_LABEL] == recipe.hash
    with pytest.raises(NotFound):
        engine.image(before)


def test_an_image_stays_until_its_last_owner_leaves(workshop: Workshop, engine: Engine) -> None:
    ours, theirs = workshop.builder(owner="us"), workshop.builder(owner="them")
    shared, new = workshop.recipe(), workshop.recipe()
    image = ours.build(shared)
    theirs.build(shared)
    ours.build(new)
    assert theirs.build(shared) == image
    theirs.build(new)
    with pytest.raises(NotFound):
        engine.image(image)


def import_without_tag(change: str) -> str:
    with contextlib.closing(docker.APIClient(version="auto", **docker.utils.kwargs_from_env())) as api:
        said = api.import_image(src=io.BytesIO(tar(file=secrets.token_bytes(8))), changes=[change])
    return str(json.loads(said.splitlines()[-1])["status"])


def test_an_image_that_another_home_is_about_to_tag_stays(workshop: Workshop, engine: Engine) -> None:
    untagged = import_without_tag(f"LABEL {RUNTIME_LABEL}=python")
    try:
        workshop.builder().build(workshop.recipe())
        assert engine.image(untagged)["Config"]["Labels"] == {RUNTIME_LABEL: "python"}
    finally:
        engine.remove_image(untagged)


def test_builders_of_one_home_wait_for_each_other(workshop: Workshop) -> None:
    recipe = workshop.recipe()
    threads = [threading.Thread(target=workshop.builder().build, args=(recipe,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum("Building on" in line for line in workshop.lines) == 1


def test_a_base_that_is_there_needs_no_registry(workshop: Workshop) -> None:
    image = workshop.builder().build(workshop.recipe(), offline=False)
    assert workshop.labels(image)[BASE_LABEL] == workshop.base


def test_the_offline_base_can_be_demanded(workshop: Workshop) -> None:
    recipe = workshop.recipe()
    before = workshop.builder().build(recipe)
    after = workshop.builder().build(recipe, offline=True)
    assert before != after
    assert workshop.labels(after)[BASE_LABEL] == "offline"


def test_the_offline_base_serves_where_no_registry_has_the_other(workshop: Workshop) -> None:
    image = workshop.builder().build(workshop.recipe(base="127.0.0.1:1/nothing:1"))
    assert workshop.labels(image)[BASE_LABEL] == "offline"


def test_a_demanded_registry_that_is_not_there_names_the_remedy(workshop: Workshop) -> None:
    with pytest.raises(EngineError, match=r"No registry has 127\.0\.0\.1:1/nothing:1.*Remedy: .* --offline"):
        workshop.builder().build(workshop.recipe(base="127.0.0.1:1/nothing:1"), offline=False)


def test_a_step_that_fails_is_named_with_the_remedy(workshop: Workshop) -> None:
    with pytest.raises(EngineError, match=r"(?s)COPY missing.*Remedy: .* --offline"):
        workshop.builder().build(workshop.recipe(dockerfile=DOCKERFILE.replace(b"launcher", b"missing")))


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def part(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.docker.{kind}", "size": len(content), "digest": digest(content)}


def serve_image(server: HTTPServer, name: str) -> str:
    """A registry with one image of one small layer; returns the reference."""
    layer = tar(name=secrets.token_bytes(8))
    packed = gzip.compress(layer)
    config = json.dumps(
        {"os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}}
    ).encode()
    parts = {"config": part("container.image.v1+json", config), "layers": [part("image.rootfs.diff.tar.gzip", packed)]}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST} | parts)
    server.expect_request("/v2/").respond_with_data("")
    for reference in ("1", digest(manifest.encode())):
        place = server.expect_request(f"/v2/{name}/manifests/{reference}")
        place.respond_with_data(manifest, content_type=MANIFEST)
    for blob in (config, packed):
        server.expect_request(f"/v2/{name}/blobs/{digest(blob)}").respond_with_data(blob)
    return f"127.0.0.1:{server.port}/{name}:1"


def test_a_registry_that_answers_gives_the_base(workshop: Workshop, httpserver: HTTPServer) -> None:
    base = serve_image(httpserver, workshop.repository)
    image = workshop.builder().build(workshop.recipe(base=base), offline=False)
    workshop.engine.remove_image(base)
    assert workshop.labels(image)[BASE_LABEL] == base


def test_a_silent_registry_is_left_in_time_and_no_debootstrap_has_a_remedy(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "rm").symlink_to("/bin/rm")
    monkeypatch.setenv("PATH", str(tmp_path))
    workshop.clear()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        recipe = workshop.recipe(base=f"127.0.0.1:{silent.getsockname()[1]}/base:1")
        remedy = "apt-get install .* debootstrap" if os.geteuid() == 0 else "build-images --offline"
        with pytest.raises(EngineError, match=f"Remedy: sudo .*{remedy}"):
            workshop.builder(registry_seconds=0.5).build(recipe)
    assert any("no answer within 0.5 s" in line for line in workshop.lines)
    assert list((tmp_path / "cache").iterdir()) == [tmp_path / "cache" / "runner-images.lock"]
