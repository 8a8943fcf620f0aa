"""Modules that a command loads when it first uses them: help and completion need neither them nor Django's set-up.

They are named twice where they are imported, as the type checker follows an import and not a name::

    if TYPE_CHECKING:
        from customchecks import jobs
    else:
        jobs = later("customchecks.jobs.service")
"""

from importlib import import_module
from typing import Any


class Later:
    """Stands for the module of this name. Django is set up before, as models need it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if not import_module("django.apps").apps.ready:
            import_module("django").setup()
        return getattr(import_module(self._name), attribute)


def later(name: str) -> Any:
    return Later(name)
