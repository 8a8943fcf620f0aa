import base64
import os
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User


def key_setting(kid: str) -> str:
    return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(name: str, *permissions: str) -> User:
        user = User.objects.create_user(name, password="a long password", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return User.objects.get(pk=user.pk)

    return make
