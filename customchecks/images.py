"""The images that sandboxes run in: what goes into them, which one is current, and how they are built.

An image is found by the label with its recipe's hash. Tags only keep it: one per instance, so that an image goes when
the last instance has left it, and one that people can read.
"""

import fcntl
import hashlib
import importlib.metadata
import io
import queue
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uv
from django.conf import settings

from customchecks import offline_base
from customchecks.engine import Conflict, Engine, EngineError, NotFound
from customchecks.offline_base import OfflineBase

REPOSITORY = "teckochecker/runner"
TAGS = {"python": "python-3.11", "node": "node-20"}
RECIPE_LABEL = "teckochecker.recipe"
RUNTIME_LABEL = "teckochecker.runtime"
BASE_LABEL = "teckochecker.base"
OFFLINE = "offline"
REGISTRY_SECONDS = 5.0
PATIENT_SECONDS = 60.0

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what an image holds. ``base`` is the reference that a registry knows."""

    runtime: str
    base: str
    dockerfile: bytes
    launcher: bytes
    uv: Path | None
    repository: str = REPOSITORY

    @classmethod
    def from_settings(cls, runtime: str) -> "Recipe":
        folder = Path(settings.BASE_DIR) / "runner_images"
        return cls(
            runtime=runtime,
            base={"python": settings.TECKO_PYTHON_BASE, "node": settings.TECKO_NODE_BASE}[runtime],
            dockerfile=(folder / runtime / "Dockerfile").read_bytes(),
            launcher=(folder / "launcher.py").read_bytes(),
            uv=Path(uv.find_uv_bin()) if runtime == "python" else None,
        )

    @property
    def hash(self) -> str:
        uv_version = importlib.metadata.version("uv") if self.uv else ""
        words = (self.runtime, self.base, uv_version, offline_base.RECIPE)
        return hashlib.sha256(b"\0".join([self.dockerfile, self.launcher, *map(str.encode, words)])).hexdigest()

    @property
    def labels(self) -> dict[str, str]:
        return {RUNTIME_LABEL: self.runtime, RECIPE_LABEL: self.hash}

    @property
    def tag(self) -> str:
        return TAGS[self.runtime]

    def write_context(self, file: IO[bytes]) -> None:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, content in (("Dockerfile", self.dockerfile), ("launcher.py", self.launcher)):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            if self.uv:
                tar.add(self.uv, "uv", filter=_as_program)
        file.seek(0)


def _as_program(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode, member.uid, member.gid, member.uname, member.gname = 0o755, 0, 0, "", ""
    return member


def recipe_hash(runtime: str) -> str:
    return Recipe.from_settings(runtime).hash


def current(runtime: str, *, engine: Engine) -> str | None:
    """The id of the newest image of today's recipe."""
    return find(Recipe.from_settings(runtime), engine=engine)


def find(recipe: Recipe, *, engine: Engine, base: str | None = None) -> str | None:
    found = engine.images(recipe.labels | ({BASE_LABEL: base} if base else {}))
    return str(max(found, key=lambda image: int(image["Created"]))["Id"]) if found else None


def build(runtime: str, *, offline: bool | None = None, force: bool = False, progress: Progress) -> str:
    """Returns the image's id, at once where it is current. Raises EngineError with the remedy."""
    return build_all([runtime], offline=offline, force=force, progress=progress)[runtime]


def build_all(
    runtimes: Iterable[str] = TAGS, *, offline: bool | None = None, force: bool = False, progress: Progress
) -> dict[str, str]:
    """``offline`` None takes a registry's base where one answers soon. ``force`` also renews the bases, each once."""
    engine = Engine()
    try:
        builder = Builder(
            engine,
            home=settings.TECKO_HOME,
            instance=settings.TECKO_INSTANCE,
            npm_environ=npm_environ(),
            progress=progress,
        )
        recipes = [Recipe.from_settings(runtime) for runtime in runtimes]
        return {recipe.runtime: builder.build(recipe, offline=offline, force=force) for recipe in recipes}
    finally:
        engine.close()


def npm_environ() -> dict[str, str]:
    found = {}
    if settings.TECKO_NPM_REGISTRY:
        found["npm_config_registry"] = settings.TECKO_NPM_REGISTRY
    if settings.TECKO_CA_BUNDLE:
        found["npm_config_cafile"] = str(settings.TECKO_CA_BUNDLE)
    return found


class Builder:
    """Builders of one ``home`` wait for each other."""

    def __init__(
        self, engine: Engine, *, home: Path, instance: str, npm_environ: dict[str, str], progress: Progress
    ) -> None:
        self._engine = engine
        self._cache = home / "cache"
        self._instance = instance
        self._npm_environ = npm_environ
        self._progress = progress
        self._renewed: set[str] = set()

    def build(self, recipe: Recipe, *, offline: bool | None = None, force: bool = False) -> str:
        timed = _timed(self._progress, recipe.runtime)
        wanted = {None: None, True: OFFLINE, False: recipe.base}[offline]
        if not force and (image := self._keep(recipe, wanted)):
            timed("The image is current")
            return image
        with self._lock(timed):
            if not force and (image := self._keep(recipe, wanted)):
                timed("Another process has built the image")
                return image
            return self._build(recipe, offline=offline, force=force, progress=timed)

    def _keep(self, recipe: Recipe, base: str | None) -> str | None:
        image = find(recipe, engine=self._engine, base=base)
        if image:
            self._tag(recipe, image)
        return image

    def _tag(self, recipe: Recipe, image: str) -> None:
        """The image that this instance leaves goes, where no other instance's tag and no container holds it."""
        mine = f"{recipe.tag}-{self._instance}"
        before = self._id(f"{recipe.repository}:{mine}")
        if before == image:
            return
        for tag in (mine, recipe.tag):
            self._engine.tag_image(image, repository=recipe.repository, tag=tag)
        if before:
            self._remove_unused(before)

    def _id(self, reference: str) -> str | None:
        try:
            return str(self._engine.image(reference)["Id"])
        except NotFound:
            return None

    def _remove_unused(self, image: str) -> None:
        try:
            if not self._engine.image(image)["RepoTags"]:
                self._engine.remove_image(image)
        except (Conflict, NotFound):
            return

    def _build(self, recipe: Recipe, *, offline: bool | None, force: bool, progress: Progress) -> str:
        base, kind = self._base(recipe, offline=offline, force=force, progress=progress)
        progress(f"Building on {base}")
        with tempfile.TemporaryFile(dir=self._cache) as context:
            recipe.write_context(context)
            image = self._engine.build_image(
                context,
                tag=f"{recipe.repository}:{recipe.tag}",
                arguments={"BASE": base},
                labels=recipe.labels | {BASE_LABEL: kind},
                progress=lambda line: progress(line) if line.startswith("Step ") else None,
            )
        self._tag(recipe, image)
        progress("Done")
        return image

    def _base(self, recipe: Recipe, *, offline: bool | None, force: bool, progress: Progress) -> tuple[str, str]:
        """A reference that the engine has now, and the kind for the label."""
        makers = OfflineBase(
            self._engine, folder=self._cache / "runner-base", npm_environ=self._npm_environ, progress=progress
        )
        if not offline and self._online(recipe.base, offline=offline, force=force, progress=progress):
            return recipe.base, recipe.base
        if not force and (base := makers.find(recipe.runtime)):
            return base, OFFLINE
        return makers.make(recipe.runtime), OFFLINE

    def _online(self, base: str, *, offline: bool | None, force: bool, progress: Progress) -> bool:
        """Raises EngineError where a registry's base was demanded, and none answers."""
        if not force and self._id(base):
            return True
        try:
            self._pull(base, patience=REGISTRY_SECONDS if offline is None else PATIENT_SECONDS, progress=progress)
        except EngineError as error:
            if offline is not None:
                raise
            progress(f"No registry has {base}: {error}")
            return False
        return True

    def _pull(self, reference: str, *, patience: float, progress: Progress) -> None:
        """``patience`` bounds the seconds until the first line; then the registry may take its time."""
        lines: queue.Queue[str | EngineError | None] = queue.Queue()
        threading.Thread(target=self._feed, args=(reference, lines), daemon=True).start()
        try:
            line = lines.get(timeout=patience)
            while isinstance(line, str):
                progress(line)
                line = lines.get()
        except queue.Empty:
            raise EngineError(f"no answer within {patience:.0f} s") from None
        if line is not None:
            raise line

    def _feed(self, reference: str, lines: queue.Queue[str | EngineError | None]) -> None:
        try:
            for line in self._engine.pull_image(reference):
                lines.put(line)
            lines.put(None)
        except EngineError as error:
            lines.put(error)

    @contextmanager
    def _lock(self, progress: Progress) -> Iterator[None]:
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "runner-images.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("Waiting for another process that builds")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _timed(progress: Progress, runtime: str) -> Progress:
    started = time.monotonic()
    return lambda line: progress(f"{runtime} {time.monotonic() - started:5.1f} s  {line}")
