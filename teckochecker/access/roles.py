"""Viewer, operator and admin: groups of Django permissions, and at the same time the limits of a token's scope.

What a role may is computed from a permission's name, so that a new model has its roles as soon as it is migrated.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from auditlog.context import disable_auditlog
from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import connections, transaction
from django.db.models.signals import post_migrate

from secrets_app.access.models import Scope


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


OF_SCOPE = {Scope.READ: Role.VIEWER, Scope.OPERATE: Role.OPERATOR, Scope.ADMIN: Role.ADMIN}

# Operators do with everything in these apps what the interfaces allow
WORK = frozenset({"customchecks", "polling"})
READABLE = WORK | {"secrets_app", "django_q", "auditlog"}
# Written by the product only. A row of the queue names a function that the cluster calls, so nobody may write one
RECORDS = frozenset({"django_q", "auditlog", "admin", "sessions", "contenttypes"})
USE_SECRET = "secrets_app.use_secret"  # noqa: S105  a permission


def may(role: Role, permission: str) -> bool:
    """``permission`` as Django names it: ``polling.view_delivery``."""
    app, _, codename = permission.partition(".")
    reads = codename.startswith("view_")
    if role is Role.ADMIN:
        return reads or app not in RECORDS
    if role is Role.OPERATOR and (app in WORK or permission == USE_SECRET):
        return True
    return reads and app in READABLE


def covers(scope: str, permissions: Iterable[str]) -> bool:
    return all(may(OF_SCOPE[Scope(scope)], permission) for permission in permissions)


def keep_in_step() -> None:
    """After the last app of each ``migrate`` the three groups have exactly what their roles may."""
    last = [config for config in apps.get_app_configs() if config.models_module][-1]
    post_migrate.connect(_synchronise, sender=last)


def _synchronise(app_config: AppConfig, using: str, **_: Any) -> None:
    create_permissions(app_config, using=using, verbosity=0)  # may be called after us
    if Group._meta.db_table not in connections[using].introspection.table_names():  # migrations may come app by app
        return
    rows = Permission.objects.using(using).select_related("content_type")
    names = {row.pk: f"{row.content_type.app_label}.{row.codename}" for row in rows}
    with transaction.atomic(using=using), disable_auditlog():
        for role in Role:
            group, _created = Group.objects.using(using).get_or_create(name=role)
            group.permissions.set([pk for pk, name in names.items() if may(role, name)])
