"""Who did what. django-auditlog writes an entry for each change of a row; here it is signed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.db.models.signals import pre_save


@dataclass(frozen=True)
class Who:
    """``via`` is session, password, token or command line; ``name`` is the token's, or the account on the machine."""

    user: User | None
    via: str
    name: str = ""
    address: str | None = None


_who: ContextVar[Callable[[], Who] | None] = ContextVar("who", default=None)


@contextmanager
def acting(who: Callable[[], Who]) -> Iterator[None]:
    """``who`` is asked when something changes: a request says late who sent it."""
    token = _who.set(who)
    try:
        yield
    finally:
        _who.reset(token)


def act_as(user: User) -> None:
    """From here on, in the same block of ``acting``."""
    if who := _who.get():
        known = replace(who(), user=user)
        _who.set(lambda: known)


def note(row: Model, event: str, **changes: tuple[object, object]) -> None:
    """For what somebody asked for and no form has changed, such as ``paused``."""
    told = {name: [str(before), str(after)] for name, (before, after) in changes.items()}
    more = {"event": event}
    LogEntry.objects.log_create(row, force_log=True, action=LogEntry.Action.UPDATE, changes=told, additional_data=more)


def more(entry: LogEntry, name: str) -> str:
    return str((entry.additional_data or {}).get(name, ""))


def way(entry: LogEntry) -> str:
    """Such as ``token ci``."""
    return " ".join(filter(None, (more(entry, "via"), more(entry, "name"))))


def told(rows: QuerySet[LogEntry], may: Callable[[str], bool]) -> QuerySet[LogEntry]:
    """Without what happened to rows that whoever asks may not view themselves."""
    types = [found.pk for found in ContentType.objects.all() if may(f"{found.app_label}.view_{found.model}")]
    return rows.filter(content_type__in=types)


def sign_entries() -> None:
    pre_save.connect(_sign, sender=LogEntry, dispatch_uid="access.audit")


def _sign(instance: LogEntry, **_: Any) -> None:
    # Another process may have flushed the tables since this one has read the numbers of the types
    model = {"app_label": instance.content_type.app_label, "model": instance.content_type.model}
    instance.content_type_id = ContentType.objects.values_list("pk", flat=True).get(**model)
    find = _who.get()
    if find is None:
        return
    who = find()
    signed = {"via": who.via, "name": who.name, "actor": who.user.username if who.user else ""}
    instance.actor, instance.remote_addr = who.user, who.address
    instance.additional_data = {**(instance.additional_data or {}), **signed}
