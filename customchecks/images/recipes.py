"""What goes into a runner image, and how its image is told from others."""

import hashlib
import importlib.metadata
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uv
from django.conf import settings

from customchecks.docker.engine import Engine
from customchecks.images import offline_base
from customchecks.images.runtimes import Runtime

REPOSITORY = "teckochecker/runner"
RECIPE_LABEL = "teckochecker.recipe"
RUNTIME_LABEL = "teckochecker.runtime"
BASE_LABEL = "teckochecker.base"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what an image holds. ``base`` is the reference that a registry knows.

    ``launcher`` are its files by their names.
    """

    runtime: Runtime
    base: str
    dockerfile: bytes
    launcher: Mapping[str, bytes]
    uv: Path | None
    repository: str = REPOSITORY

    @classmethod
    def from_settings(cls, runtime: Runtime) -> "Recipe":
        folder = Path(settings.BASE_DIR) / "runner_images"
        return cls(
            runtime=runtime,
            base=runtime.image_base,
            dockerfile=(folder / runtime.language / "Dockerfile").read_bytes(),
            launcher={file.name: file.read_bytes() for file in sorted((folder / "launcher").glob("*.py"))},
            uv=Path(uv.find_uv_bin()) if runtime.has_uv else None,
        )

    @property
    def hash(self) -> str:
        uv_version = importlib.metadata.version("uv") if self.uv else ""
        words = (self.runtime.name, self.base, uv_version, offline_base.RECIPE, *self.launcher)
        parts = [self.dockerfile, *self.launcher.values(), *map(str.encode, words)]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    @property
    def labels(self) -> dict[str, str]:
        return {RUNTIME_LABEL: self.runtime.name, RECIPE_LABEL: self.hash}

    @property
    def tag(self) -> str:
        return self.runtime.name

    def tag_of(self, owner: str) -> str:
        """Keeps the image as long as ``owner``, a checkout of the project, wants it."""
        return f"{self.tag}-{hashlib.sha256(f'{owner} {self.base}'.encode()).hexdigest()[:10]}"

    def write_context(self, file: IO[bytes]) -> None:
        """The tar that a build takes; leaves ``file`` at its start."""
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, content in self._files().items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            if self.uv:
                tar.add(self.uv, "uv", filter=_as_program)
        file.seek(0)

    def _files(self) -> dict[str, bytes]:
        launcher = {f"launcher/{name}": content for name, content in self.launcher.items()}
        return {"Dockerfile": self.dockerfile, **launcher}


def find(recipe: Recipe, *, engine: Engine, base: str | None = None) -> str | None:
    """The id of the recipe's newest image, optionally only of one that was built on ``base``."""
    found = engine.images(recipe.labels | ({BASE_LABEL: base} if base else {}))
    return str(max(found, key=lambda image: int(image["Created"]))["Id"]) if found else None


def _as_program(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode, member.uid, member.gid, member.uname, member.gname = 0o755, 0, 0, "", ""
    return member
