"""``deps list|prune``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from customchecks.cli.support import options, output
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.dependencies import eviction, models
    from customchecks.sandbox import sandbox
else:
    eviction = later("customchecks.dependencies.eviction")
    models = later("customchecks.dependencies.models")
    sandbox = later("customchecks.sandbox.sandbox")

COLUMNS: Mapping[str, output.Column] = {
    "Key": lambda one: one.key[:12],
    "Runtime": "runtime",
    "State": "state",
    "MB": lambda one: round(one.size / 1024 / 1024, 1),
    "Last used": "last_used_at",
    "Error": "error",
}

All = Annotated[bool, typer.Option("--all", help="Every set that no check is using, not only what is too much.")]


def list_sets(as_json: options.Json = False) -> None:
    """List the sets of dependencies, the last used first.

    \b
    Example:
      manage.py customcheck deps list
    """
    found = models.DependencySet.objects.order_by("-last_used_at", "key")
    if as_json:
        output.document([one.summary() | {"runtime": one.runtime, "volume": one.volume} for one in found])
        return
    output.rows(COLUMNS, found)


def prune(everything: All = False, as_json: options.Json = False) -> None:
    """Make room: sets above TECKO_DEPS_CACHE_MB, longest unused first, and what dead installers have left.

    Also forgets failures, so that the next check tries again. A set that a check may be using stays.

    \b
    Examples:
      manage.py customcheck deps prune
      manage.py customcheck deps prune --all
    """
    box = sandbox.Sandbox.from_settings()
    try:
        failed = eviction.forget_failures(box.volumes)
        gone = eviction.make_room(box.volumes, limit_mb=0 if everything else None)
    finally:
        box.close()
    if as_json:
        output.document({"removed": gone, "failures_forgotten": failed})
    else:
        output.say(f"Removed {len(gone)} sets, forgot {len(failed)} failures.")


COMMANDS = ((list_sets, "list"), (prune, "prune"))
