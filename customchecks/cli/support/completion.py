"""What a shell may offer for a word that somebody has begun; nothing where the database cannot be asked."""

from importlib import import_module
from typing import Any


def jobs(incomplete: str) -> Any:
    return _names().starting("custom_check_jobs", incomplete)


def polling_jobs(incomplete: str) -> Any:
    return _names().starting("polling_jobs", incomplete)


def groups(incomplete: str) -> Any:
    return _names().starting("job_groups", incomplete)


def runtimes(incomplete: str) -> Any:
    return [word for word in import_module("customchecks.images.runtimes").WORDS if word.startswith(incomplete)]


def secrets(incomplete: str) -> Any:
    return _names().starting("secrets", incomplete)


def tags(incomplete: str) -> Any:
    return _names().tags(incomplete)


def _names() -> Any:
    """Django's database, and none of its models: somebody waits with a finger on the tabulator."""
    return import_module("customchecks.cli.support.names")
