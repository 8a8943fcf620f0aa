"""``secret list|create|set|delete``. A value comes from stdin or is typed unseen, never from the command line."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from customchecks.cli.support import choices, completion, options, output, things
from customchecks.cli.support.exit_codes import Failed, Invalid, Usage
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from django.db import models as django_models

    from customchecks.cli.support import lookups
    from secrets_app import models, serializers
else:
    serializers = later("secrets_app.serializers")
    django_models = later("django.db.models")
    lookups = later("customchecks.cli.support.lookups")
    models = later("secrets_app.models")

SECRETS = things.Thing(
    called="secret",
    listed_by="secret list",
    model=lambda: models.Secret,
    shape=lambda secret: dict(serializers.SecretSerializer(secret).data),
)
COLUMNS: Mapping[str, output.Column] = {"ID": "pk", "Name": "name", "Type": "type", "Created": "created_at"}

NewName = Annotated[str, typer.Argument(metavar="NAME", help="Jobs refer to it as secret_ref:NAME.")]
Known = Annotated[
    str, typer.Argument(metavar="SECRET", help="The secret's number or name.", autocompletion=completion.secrets)
]
Type = Annotated[choices.Secret, typer.Option("--type", help="What it opens.")]


def list_secrets(as_json: options.Json = False) -> None:
    """List secrets, never their values.

    \b
    Example:
      manage.py customcheck secret list
    """
    rows = list(models.Secret.objects.order_by("pk"))
    if as_json:
        output.document({"secrets": serializers.SecretSerializer(rows, many=True).data, "total": len(rows)})
    else:
        output.rows(COLUMNS, rows)


def create(name: NewName, kind: Type = "generic", user: options.User = None, as_json: options.Json = False) -> None:
    """Store a secret and print its number. Its value is read from stdin, or asked for.

    A newline at the end of one line is left out; several lines keep theirs.

    \b
    Examples:
      manage.py customcheck secret create gemini < key.txt
      pass show openai | manage.py customcheck secret create openai --type openai
    """
    secret = models.Secret(name=name, type=kind, created_by=lookups.acting_user(user))
    options.valid(lambda: secret.full_clean(exclude=["ciphertext"]))
    options.valid(lambda: secret.set_value(_value()))
    secret.save()
    SECRETS.created(secret, as_json=as_json)


def set_value(secret: Known, as_json: options.Json = False) -> None:
    """Give a secret a new value, read from stdin or asked for: jobs use it from their next check on.

    \b
    Example:
      manage.py customcheck secret set gemini < key.txt
    """
    found = SECRETS.find(secret)
    options.valid(lambda: found.set_value(_value()))
    found.save(update_fields=["ciphertext", "updated_at"])
    output.say(f"Secret {found.pk} ({found.name}) has a new value.")
    SECRETS.print(found, as_json=as_json)


def delete(secret: Known, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete a secret that no job uses.

    \b
    Example:
      manage.py customcheck secret delete gemini --yes
    """
    try:
        SECRETS.delete(SECRETS.find(secret), models.Secret.delete, yes=yes, as_json=as_json)
    except django_models.ProtectedError as error:
        jobs = sorted({f"{grant.job_kind} {grant.job_id}" for grant in error.protected_objects})  # type: ignore[attr-defined]
        raise Failed(f"The secret is used by these jobs: {', '.join(jobs)}.") from None


def _value() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    try:
        value = sys.stdin.read()
    except UnicodeDecodeError:
        raise Invalid("value: stdin is not UTF-8 text.") from None
    if not value:
        raise Usage("Hand the value over on stdin.")
    kept = models.without_newline(value)
    if kept != value:
        output.say("A newline at the end of the value was left out.")
    return str(kept)


COMMANDS = ((list_secrets, "list"), (create, "create"), (set_value, "set"), (delete, "delete"))
