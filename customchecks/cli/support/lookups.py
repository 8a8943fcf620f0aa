"""Whom and what a command means: jobs and the like by number or name, and the user it acts as."""

import getpass
import os
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import Model

from customchecks.cli.support.choices import LARGEST_ID
from customchecks.cli.support.exit_codes import Failed, Invalid, NotFound
from customchecks.jobs.models import CustomCheckJob
from secrets_app.access import audit

M = TypeVar("M", bound=Model)


def find_job(word: str) -> CustomCheckJob:
    """Raises NotFound, Invalid."""
    return find(CustomCheckJob, word, called="job", listed_by="list")


def find(model: type[M], word: str, *, called: str, listed_by: str) -> M:
    """A number is an id, never a name. Raises NotFound, and Invalid where several have the name."""
    key: dict[str, Any] = {"pk": min(int(word), LARGEST_ID)} if word.isdecimal() else {"name": word}
    found = list(model._default_manager.filter(**key)[:5])
    if not found:
        raise NotFound(f"There is no {called} {word!r}. See: manage.py customcheck {listed_by}")
    if len(found) > 1:
        ids = ", ".join(str(row.pk) for row in found)
        raise Invalid(f"Several {called}s are named {word!r}: say which by number, of {ids}.")
    return found[0]


def acting_user(name: str | None) -> User:
    """Raises NotFound, Failed."""
    users = get_user_model().objects.filter(is_active=True)
    if name is not None:
        named = users.filter(username=name).first()
        if named is None:
            raise NotFound(f"There is no active user {name!r} (--user).")
        audit.act_as(named)
        return named
    first = usual_user()
    if first is None:
        raise Failed("There is no superuser to act as. Run manage.py createsuperuser, or name somebody with --user.")
    return first


def usual_user() -> User | None:
    """Whom the audit names where a command asks for nobody: the first superuser, if there is one."""
    first = get_user_model().objects.filter(is_active=True, is_superuser=True).order_by("pk").first()
    if first is not None:
        audit.act_as(first)
    return first


def account() -> str:
    """Of the machine, that the command runs in."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such account, as in some containers
        return str(os.getuid())
