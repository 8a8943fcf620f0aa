"""``token create|list|revoke``."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from customchecks.cli.support import choices, options, output
from customchecks.cli.support.exit_codes import NotFound
from customchecks.cli.support.lazy_import import later

if TYPE_CHECKING:
    from customchecks.cli.support import lookups
    from secrets_app.access import models, serializers
else:
    lookups = later("customchecks.cli.support.lookups")
    models = later("secrets_app.access.models")
    serializers = later("secrets_app.access.serializers")

COLUMNS: Mapping[str, output.Column] = {
    "ID": "pk",
    "Name": "name",
    "User": "user.username",
    "Scope": "scope",
    "Begins with": "token_key",
    "Expires": "expiry",
    "Last used": "last_used_at",
}

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")]
Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=choices.LARGEST_ID, help="The token's number.")]
Holder = Annotated[
    str | None, typer.Option("--user", metavar="LOGIN", help="Whose token.  [default: the first superuser]")
]
OnlyUser = Annotated[str | None, typer.Option("--user", metavar="LOGIN", help="Only those of this user.")]
ScopeOption = Annotated[
    choices.Scope, typer.Option("--scope", help="What it may do at most; never more than its user.")
]
Days = Annotated[int, typer.Option("--days", min=1, max=choices.LONGEST_DAYS, metavar="N", help="Until it expires.")]


def create(
    name: Name,
    user: Holder = None,
    scope: ScopeOption = "operate",
    days: Days = choices.USUAL_DAYS,
    as_json: options.Json = False,
) -> None:
    """Make a token for the API and print it, this once.

    \b
    Examples:
      manage.py customcheck token create "nightly import" --user ada --days 30
      manage.py customcheck token create prometheus --scope read
    """
    row, token = models.ApiToken.objects.create(
        lookups.acting_user(user), expiry=timedelta(days=days), name=name[:100], scope=scope
    )
    output.say(f"Created token {row.pk} of {row.user.username}: {row.scope}, until {row.expiry:%Y-%m-%d}")
    if as_json:
        row.token = token
        output.document(serializers.MadeTokenSerializer(row).data)
    else:
        output.text(token)


def list_tokens(user: OnlyUser = None, as_json: options.Json = False) -> None:
    """List tokens, the oldest first; never the token itself.

    \b
    Example:
      manage.py customcheck token list --user ada
    """
    rows = models.ApiToken.objects.select_related("user")
    if user is not None:
        rows = rows.filter(user=lookups.acting_user(user))
    if as_json:
        shown = serializers.TokenSerializer(rows, many=True).data
        output.document({"tokens": shown, "total": len(shown)})
    else:
        output.rows(COLUMNS, rows)


def revoke(number: Id, as_json: options.Json = False) -> None:
    """Revoke a token: it is of no use from this moment on.

    \b
    Example:
      manage.py customcheck token revoke 3
    """
    found = models.ApiToken.objects.select_related("user").filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no token {number}. See: manage.py customcheck token list")
    shown = serializers.TokenSerializer(found).data
    found.delete()
    output.say(f"Revoked token {number} of {found.user.username}: {found}")
    if as_json:
        output.document(shown)


COMMANDS = ((create, "create"), (list_tokens, "list"), (revoke, "revoke"))
