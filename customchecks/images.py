"""The images that sandboxes run in: which one is current, and having them built."""

from collections.abc import Iterable

from django.conf import settings

from customchecks.debian import Progress
from customchecks.engine import Engine
from customchecks.image_builder import Builder
from customchecks.recipes import TAGS as TAGS
from customchecks.recipes import Recipe, find

ENGINE_SECONDS = 300  # a slow disk takes its time over a base image


def recipe_hash(runtime: str) -> str:
    return Recipe.from_settings(runtime).hash


def current(runtime: str, *, engine: Engine) -> str | None:
    """The id of the newest image of today's recipe."""
    return find(Recipe.from_settings(runtime), engine=engine)


def build(runtime: str, *, offline: bool | None = None, force: bool = False, progress: Progress) -> str:
    """Returns the image's id, at once where it is current. Raises EngineError with the remedy."""
    return build_all([runtime], offline=offline, force=force, progress=progress)[runtime]


def build_all(
    runtimes: Iterable[str] = tuple(TAGS), *, offline: bool | None = None, force: bool = False, progress: Progress
) -> dict[str, str]:
    """``offline`` None takes a registry's base where one answers soon. ``force`` also renews the bases, each once."""
    recipes = [Recipe.from_settings(runtime) for runtime in runtimes]
    npm = {"npm_config_registry": settings.TECKO_NPM_REGISTRY, "npm_config_cafile": str(settings.TECKO_CA_BUNDLE)}
    engine = Engine(timeout=ENGINE_SECONDS)
    try:
        builder = Builder(
            engine,
            home=settings.TECKO_HOME,
            owner=str(settings.BASE_DIR),
            npm_environ={name: value for name, value in npm.items() if value},
            progress=progress,
        )
        return {recipe.runtime: builder.build(recipe, offline=offline, force=force) for recipe in recipes}
    finally:
        engine.close()
