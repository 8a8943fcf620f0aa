"""Viewer, operator and admin: what they may, and that every permission there is belongs to the right ones."""

from collections.abc import Callable

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models.signals import post_migrate

from teckochecker.access.roles import Role, may

OURS = ("access", "customchecks", "polling", "secrets_app")


@pytest.fixture
def member(db: None) -> Callable[[str], User]:
    def make(role: str) -> User:
        user = User.objects.create_user(role)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


def permissions(*apps: str) -> list[str]:
    rows = Permission.objects.filter(content_type__app_label__in=apps).select_related("content_type")
    return [f"{row.content_type.app_label}.{row.codename}" for row in rows]


def test_migrating_makes_the_three_groups(db: None) -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {"viewer", "operator", "admin"}


def test_a_viewer_sees_everything_but_users_and_tokens(member: Callable[[str], User]) -> None:
    viewer = member("viewer")
    seen = {name for name in permissions(*OURS, "auth") if viewer.has_perm(name)}
    views = {name for name in permissions(*OURS) if ".view_" in name}
    assert seen == views - {"access.view_apitoken"}


def test_an_operator_works_with_jobs_and_uses_secrets_but_does_not_manage_them(member: Callable[[str], User]) -> None:
    operator = member("operator")
    assert operator.has_perms([*permissions("customchecks", "polling"), "secrets_app.use_secret"])
    writes = [name for name in permissions("secrets_app", "access", "auth") if ".view_" not in name]
    assert [name for name in writes if operator.has_perm(name)] == ["secrets_app.use_secret"]


def test_an_admin_may_everything_but_write_the_queue_and_the_audit(member: Callable[[str], User]) -> None:
    admin = member("admin")
    assert admin.has_perms(permissions(*OURS, "auth"))
    assert admin.has_perm("django_q.view_schedule")
    assert not any(admin.has_perm(f"django_q.{action}_schedule") for action in ("add", "change", "delete"))


def test_what_a_group_was_given_or_lost_is_put_right_by_the_next_migrate(db: None) -> None:
    viewer = Group.objects.get(name=Role.VIEWER)
    right = set(viewer.permissions.all())
    viewer.permissions.set(Permission.objects.filter(codename="delete_secret"))
    call_command("migrate", verbosity=0)
    assert set(viewer.permissions.all()) == right


def test_a_model_that_comes_later_has_its_roles(db: None) -> None:
    """As its migration leaves it: without permissions until the signal that ends ``migrate``."""
    Permission.objects.filter(codename__endswith="_delivery").delete()
    last = [config for config in apps.get_app_configs() if config.models_module][-1]
    create_permissions(apps.get_app_config("polling"), verbosity=0)
    post_migrate.send(sender=last, app_config=last, verbosity=0, interactive=False, using="default")
    assert Group.objects.get(name=Role.OPERATOR).permissions.filter(codename="change_delivery").exists()


@pytest.mark.parametrize("name", ["customchecks.add_somethingnew", "polling.change_somethingnew"])
def test_new_work_is_the_operators(name: str) -> None:
    assert [role for role in Role if may(role, name)] == [Role.OPERATOR, Role.ADMIN]


@pytest.mark.parametrize("name", ["billing.add_invoice", "billing.view_invoice", "secrets_app.add_somethingnew"])
def test_what_is_not_work_is_the_admins_alone(name: str) -> None:
    assert [role for role in Role if may(role, name)] == [Role.ADMIN]
