import io
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from customchecks.archives import script_archive
from customchecks.dependencies.detection import ScriptUse
from customchecks.dependencies.prepare import Dependencies, DependencyRequest, PreparedDependencies
from customchecks.sandbox.outcome import SandboxOutcome
from customchecks.sandbox.sandbox import Sandbox
from tests import instances
from tests.factories import tgz
from tests.security import boxes


class Box:
    """A sandbox of an instance of its own, and checks in it as the runner makes them."""

    def __init__(self, instance: str = "", ca_bundle: bytes = b"") -> None:
        self.instance = instance or instances.new()
        trusted = Path(settings.TECKO_CA_BUNDLE).read_bytes() if settings.TECKO_CA_BUNDLE else b""
        self.sandbox = Sandbox(
            instance=self.instance,
            ca_bundle=ca_bundle or trusted,
            egress_allow=settings.TECKO_EGRESS_ALLOW,
        )
        self.dependencies = Dependencies(self.sandbox)

    def prepare(
        self, files: Mapping[str, str | bytes], dependencies: Dependencies | None = None, **values: Any
    ) -> PreparedDependencies:
        """``files`` beside an empty script."""
        archive = script_archive.normalise(io.BytesIO(tgz({"main.py": "", "index.js": "", **files})))
        runtime = "node" if any(name.endswith("package.json") for name in files) else "python"
        use = {"runtime": runtime, "entrypoint": "index.js" if runtime == "node" else "main.py"}
        use |= {name: values.pop(name) for name in ("source_builds", "entrypoint", "runtime") if name in values}
        fields = {
            "use": ScriptUse(**use),
            "owner": "custom:1",
            "run_id": secrets.token_hex(8),
            "seconds": 120,
        }
        return (dependencies or self.dependencies).prepare(DependencyRequest(archive=archive, **(fields | values)))

    def run(self, prepared: PreparedDependencies, code: str, **values: Any) -> SandboxOutcome:
        """Without any network, unless told otherwise."""
        request = boxes.request(code, **({"network": "none", "volumes": prepared.volumes} | values))
        argv = (prepared.interpreter or request.argv[0], *request.argv[1:])
        return self.sandbox.run(replace(request, argv=argv))

    def volumes(self) -> list[str]:
        return self.sandbox.volumes.names()

    def close(self) -> None:
        self.sandbox.dismantle()
        self.sandbox.close()


@pytest.fixture(scope="module")
def shared_box() -> Iterator[Box]:
    box = Box()
    yield box
    box.close()


@pytest.fixture
def box(shared_box: Box) -> Iterator[Box]:
    yield shared_box
    assert shared_box.sandbox.settle(seconds=5)
    shared_box.sandbox.volumes.remove_all()
