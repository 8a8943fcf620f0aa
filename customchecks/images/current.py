"""The images that sandboxes run in: which one is current, and having them built."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing

from django.conf import settings

from customchecks.docker.engine import Engine
from customchecks.images import runtimes
from customchecks.images.builder import Builder
from customchecks.images.debian import Progress
from customchecks.images.recipes import Recipe, find
from customchecks.images.runtimes import Runtime

ENGINE_SECONDS = 300  # a slow disk takes its time over a base image
REMEMBER_SECONDS = 10.0
IMAGE_UMASK = 0o022  # an image's files are for its user, unlike all else that we write


def recipe(runtime: str) -> Recipe:
    return Recipe.from_settings(runtimes.named(runtime))


def current(runtime: str, *, engine: Engine) -> str | None:
    """The id of the newest image of today's recipe."""
    return find(recipe(runtime), engine=engine)


def build(runtime: str, *, offline: bool | None = None, force: bool = False, progress: Progress) -> str:
    """Returns the image's id, at once where it is current. Raises EngineError with the remedy."""
    return build_all([runtime], offline=offline, force=force, progress=progress)[runtime]


def build_all(
    words: Iterable[str] = (), *, offline: bool | None = None, force: bool = False, progress: Progress
) -> dict[str, str]:
    """Image ids by runtime. Without ``words``: the default ones, and those that this checkout has built before.

    ``offline`` None takes a registry's base where one answers soon. ``force`` also renews the bases, each once.
    """
    before = os.umask(IMAGE_UMASK)
    try:
        return _build_all(words, offline=offline, force=force, progress=progress)
    finally:
        os.umask(before)


def _build_all(words: Iterable[str], *, offline: bool | None, force: bool, progress: Progress) -> dict[str, str]:
    with closing(Engine(timeout=ENGINE_SECONDS)) as engine:
        builder = Builder(engine, home=settings.TECKO_HOME, owner=_owner(), progress=progress)
        wanted = tuple(words) or [row.word for row in runtimes.ROWS if row.default or _was_built(row, engine)]
        return {word: builder.build(recipe(word), offline=offline, force=force) for word in wanted}


def _owner() -> str:
    return str(settings.BASE_DIR)


def _was_built(runtime: Runtime, engine: Engine) -> bool:
    wanted = Recipe.from_settings(runtime)
    return engine.image_id(f"{wanted.repository}:{wanted.tag_of(_owner())}") is not None


class RememberedImages:
    """The image id of each runtime by its name, asked for anew after 10 s. Thread-safe. All raise EngineError."""

    def __init__(self, find: Callable[[str], str | None]) -> None:
        self._find = find
        self._found: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()  # one look serves all threads, and Python's sysconfig is not made for several

    def find(self, runtime: str) -> str:
        """Empty where there is none."""
        with self._lock:
            image, until = self._found.get(runtime, ("", 0.0))
            if time.monotonic() >= until:
                image = self._find(runtime) or ""
                self._found[runtime] = image, time.monotonic() + (REMEMBER_SECONDS if image else 0)
        return image

    def by_word(self) -> dict[str, str]:
        return {row.word: self.find(row.name) for row in runtimes.ROWS}

    def any(self) -> str:
        """Empty where there is none. All of them hold the Python that packet rules can be set with."""
        return next(filter(None, (self.find(row.name) for row in runtimes.ROWS)), "")

    def forget(self) -> None:
        self._found.clear()
