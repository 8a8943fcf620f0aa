"""Which rows are audited, and who a request is from. django-auditlog writes a row for each change."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from auditlog.registry import auditlog
from auditlog.signals import pre_log
from django.apps import apps
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase

from secrets_app.access.audit import Who, acting, sign_entries
from secrets_app.access.models import ApiToken
from secrets_app.references import PREFIX
from teckochecker.access.throttles import address
from teckochecker.kit import declared
from teckochecker.kit.declared import Secrets

# With their relations whose other end is chosen in the same form
AUDITED: dict[str, tuple[str, ...]] = {
    "customchecks.CustomCheckJob": (),
    "customchecks.ScriptVersion": (),
    "polling.PollingJob": (),
    "polling.JobGroup": (),
    "secrets_app.Secret": ("allowed_users",),
    "secrets_app.SecretGrant": (),
    "access.ApiToken": (),
    "auth.User": ("groups", "user_permissions"),
    "auth.Group": ("permissions",),
}
# A form sets what is editable; the rest is state that checks move, but for these
ALSO = frozenset(
    {"script_version_pin", "ciphertext", "owner", "job", "number", "source", "origin", "commit", "archive"}
)
NEVER = frozenset({"last_login"})
HIDDEN = frozenset({"ciphertext", "password"})

_REFERENCE = re.compile(rf"({re.escape(PREFIX)}[A-Za-z0-9_]++(?:[.-]++[A-Za-z0-9_]++)*+)")


def register() -> None:
    for label, relations in AUDITED.items():
        model: Any = apps.get_model(label)
        columns = [field for field in model._meta.concrete_fields if not field.primary_key]
        told = [field.name for field in columns if (field.editable or field.name in ALSO) and field.name not in NEVER]
        auditlog.register(
            model,
            include_fields=told,
            mask_fields=masked_fields(model, told),
            mask_callable="teckochecker.access.auditing.masked",
            m2m_fields=relations,
        )
    pre_log.connect(
        _by_somebody, sender=apps.get_model("customchecks.ScriptVersion"), dispatch_uid="teckochecker.access.auditing"
    )
    sign_entries()


def masked_fields(model: Any, told: Iterable[str]) -> list[str]:
    """Texts around references may be secrets that somebody did not store as such: only references are told."""
    return [name for name in told if name in HIDDEN or name in declared.of(model).holding(Secrets.INSIDE)]


def _by_somebody(instance: Any, **_: Any) -> bool:
    """A version that a check has found in a repository is no change that anybody made."""
    return instance.created_by_id is not None


def masked(value: str) -> str:
    """Of an object, to which secrets its values refer; of anything else, whether there is one."""
    if value in ("None", "null"):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return "***"
    return json.dumps({key: _references(str(text)) for key, text in found.items()})


def _references(text: str) -> str:
    """What is around them may be a secret as well."""
    pieces = [piece for piece in _REFERENCE.split(text) if piece]
    return "".join(piece if piece.startswith(PREFIX) else "***" for piece in pieces) or "***"


class ActorMiddleware:
    """The API finds out only in the view who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: who(request)):
            return self.get_response(request)


def who(request: HttpRequest) -> Who:
    user = request.user if isinstance(request.user, User) else None
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        return Who(user, "token", str(token), address(request) or None)
    via = "password" if request.headers.get("Authorization", "")[:6].lower() == "basic " else "session"
    return Who(user, via, address=address(request) or None)
