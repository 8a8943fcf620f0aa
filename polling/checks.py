"""System checks of this app."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from polling.addresses import Allowance


@register()
def webhook_allow(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for word in settings.TECKO_WEBHOOK_ALLOW:
        try:
            Allowance.parse([word])
        except ValueError as error:
            found.append(
                Error(
                    f"TECKO_WEBHOOK_ALLOW: {error}",
                    hint="List networks, addresses or host names, each with a port or any: "
                    "10.1.0.0/16, 10.1.2.3:8080, [fd00::/8], hooks.example.com, .internal.",
                    id="polling.E001",
                )
            )
    return found
