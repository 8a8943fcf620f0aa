"""Builds runner images, on a registry's base or an offline one, and lets go of those that nobody uses.

An image is found by the label with its recipe's hash. Tags only keep it: one that people can read, and one for each
owner, so that an image goes when the last owner has left it, whoever built it.
"""

import fcntl
import os
import queue
import tempfile
import textwrap
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from customchecks.docker.engine import Conflict, Engine, EngineError, EngineUnavailable, NotFound
from customchecks.images import offline_base
from customchecks.images.debian import Progress
from customchecks.images.offline_base import OfflineBase
from customchecks.images.recipes import BASE_LABEL, RUNTIME_LABEL, Recipe, find

OFFLINE = "offline"
REGISTRY_SECONDS = 5.0
DEMANDED_REGISTRY_SECONDS = 60.0
MAX_LINE_LENGTH = 100
ABANDONED_SECONDS = 3600
MAX_TAIL_LINES = 15
REMEDY = "Remedy: manage.py customcheck build-images --offline, which needs no registry."


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """One image that is wanted. ``offline`` None takes either kind of base; ``force`` builds what is current anew."""

    recipe: Recipe
    offline: bool | None
    force: bool
    progress: Progress

    @property
    def base_label(self) -> str | None:
        """What the image has to stand on; None where both kinds will do."""
        return {None: None, True: OFFLINE, False: self.recipe.base}[self.offline]


class Builder:
    """Builds images, and keeps them for ``owner``.

    Builders of one ``home`` wait for each other. An owner is a checkout of the project.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        home: Path,
        owner: str,
        progress: Progress,
        base_repository: str = offline_base.REPOSITORY,
        registry_seconds: float = REGISTRY_SECONDS,
    ) -> None:
        self._engine = engine
        self._home = home
        self._owner = owner
        self._progress = progress
        self._base_repository = base_repository
        self._registry_seconds = registry_seconds
        self._renewed: set[str] = set()

    def build(self, recipe: Recipe, *, offline: bool | None = None, force: bool = False) -> str:
        """``offline`` None takes a registry's base where one answers soon. Raises EngineError with the remedy."""
        order = BuildOrder(
            recipe=recipe, offline=offline, force=force, progress=_timed(self._progress, recipe.runtime.name)
        )
        with self._lock(order.progress):  # also to keep one: a build that is not done yet moves the tags
            if image := self._keep(order):
                order.progress("The image is current")
                return image
            return self._build(order)

    def _keep(self, order: BuildOrder) -> str | None:
        """The image that is there, where it will do."""
        image = None if order.force else find(order.recipe, engine=self._engine, base=order.base_label)
        try:
            if image:
                self._take(order.recipe, image)
        except NotFound:
            # Its last owner has left it meanwhile
            return None
        return image

    def _build(self, order: BuildOrder) -> str:
        base, kind = self._base(order)
        order.progress(f"Building on {base}")
        with tempfile.TemporaryFile(dir=self._cache()) as context:
            order.recipe.write_context(context)
            image = self._build_from(context, order, base=base, kind=kind)
        self._take(order.recipe, image)
        order.progress("Done")
        return image

    def _build_from(self, context: IO[bytes], order: BuildOrder, *, base: str, kind: str) -> str:
        tail: deque[str] = deque(maxlen=MAX_TAIL_LINES)

        def note(line: str) -> None:
            tail.append(line)
            if line.startswith("Step "):
                order.progress(textwrap.shorten(line, MAX_LINE_LENGTH, placeholder=" …"))

        try:
            return self._engine.build_image(
                context,
                tag=f"{order.recipe.repository}:{order.recipe.tag}",
                arguments={"BASE": base},
                labels=order.recipe.labels | {BASE_LABEL: kind},
                progress=note,
                fresh=order.force,
            )
        except EngineUnavailable:
            raise
        except EngineError as error:
            lines = "\n".join([*tail, str(error)])
            raise EngineError(
                f"The {order.recipe.runtime.name} image could not be built on {base}:\n{lines}\n{REMEDY}"
            ) from error

    def _take(self, recipe: Recipe, image: str) -> None:
        tags = recipe.tag_of(self._owner), recipe.tag
        before = [self._engine.image_id(f"{recipe.repository}:{tag}") for tag in tags]
        if before[0] == image:
            return
        for tag in tags:
            self._engine.tag_image(image, repository=recipe.repository, tag=tag)
        self._remove_left(just_left=before)

    def _remove_left(self, *, just_left: Collection[str | None]) -> None:
        """Images that no owner's tag keeps any more, and no container runs.

        Others that are new and without a tag are what another home's builder is just about to give one.
        """
        for image in self._engine.images({}):
            old = time.time() - image["Created"] > ABANDONED_SECONDS
            if RUNTIME_LABEL in (image["Labels"] or {}) and (old or image["Id"] in just_left):
                try:
                    self._remove_untagged(image["Id"])
                except (Conflict, NotFound):
                    continue

    def _remove_untagged(self, image: str) -> None:
        tags = self._engine.image(image).get("RepoTags") or ()
        if not [tag for tag in tags if tag != "<none>:<none>"]:
            self._engine.remove_image(image)

    def _base(self, order: BuildOrder) -> tuple[str, str]:
        """A reference that the engine has now, and the kind for the label."""
        bases = OfflineBase(
            self._engine,
            folder=self._cache() / "runner-base",
            progress=order.progress,
            repository=self._base_repository,
        )
        if self._is_online(order, bases):
            return order.recipe.base, order.recipe.base
        for reference, make in bases.steps(order.recipe.runtime).items():
            if (order.force and reference not in self._renewed) or not self._engine.image_id(reference):
                make()
                self._renewed.add(reference)
        return bases.reference(order.recipe.runtime), OFFLINE

    def _is_online(self, order: BuildOrder, bases: OfflineBase) -> bool:
        if order.offline:
            return False
        there = self._engine.image_id(order.recipe.base) is not None
        if there and not order.force:
            return True
        if order.offline is None and not order.force and self._engine.image_id(bases.reference(order.recipe.runtime)):
            return False
        return self._is_pulled(order) or there

    def _is_pulled(self, order: BuildOrder) -> bool:
        """Raises EngineError where a registry's base was demanded, and there is none."""
        patience = self._registry_seconds if order.offline is None else DEMANDED_REGISTRY_SECONDS
        try:
            self._pull(order.recipe.base, patience=patience, progress=order.progress)
        except EngineError as error:
            reason = f"No registry has {order.recipe.base}: {error}"
            if order.offline is False and not self._engine.image_id(order.recipe.base):
                raise EngineError(f"{reason} {REMEDY}") from error
            order.progress(reason)
            return False
        return True

    def _pull(self, reference: str, *, patience: float, progress: Progress) -> None:
        """``patience`` bounds the seconds until the first line; then the registry may take its time."""
        lines: queue.Queue[str | EngineError | None] = queue.Queue()
        threading.Thread(target=self._feed, args=(reference, lines), daemon=True).start()
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            raise EngineError(f"no answer within {patience:g} s") from None
        while isinstance(line, str):
            progress(line)
            line = lines.get()
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
        # Read-only, so that the file may belong to root, who alone can make the offline base
        file = self._cache() / "runner-images.lock"
        descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:
            self._give_away(file)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("Waiting for another process that builds")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _cache(self) -> Path:
        folder = self._home / "cache"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            return folder
        self._give_away(folder)
        return folder

    def _give_away(self, path: Path) -> None:
        """To whom the home belongs: root may only have lent a hand."""
        owner = self._home.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def _timed(progress: Progress, runtime: str) -> Progress:
    started = time.monotonic()
    return lambda line: progress(f"{runtime:11} {time.monotonic() - started:5.1f} s  {line}")
