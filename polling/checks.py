"""System checks of this app."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from polling.http.addresses import Allowance, UrlRefused, check_url


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


@register()
def alert_url(**_: Any) -> list[CheckMessage]:
    try:
        if settings.TECKO_ALERT_URL:
            check_url(settings.TECKO_ALERT_URL, allow=Allowance.parse(settings.TECKO_WEBHOOK_ALLOW))
    except UrlRefused as error:
        hint = "Name a receiver's address, such as https://alerts.example.com/x; a private one, or one without TLS, "
        hint += "has to be listed in TECKO_WEBHOOK_ALLOW."
        return [Error(f"TECKO_ALERT_URL: {error}", hint=hint, id="polling.E003")]
    except ValueError:  # the allow-list itself is wrong, and reported above
        return []
    return []


@register()
def openai_url(**_: Any) -> list[CheckMessage]:
    try:
        check_url(settings.TECKO_OPENAI_URL, allow=Allowance.parse(settings.TECKO_WEBHOOK_ALLOW))
    except UrlRefused as error:
        problem = str(error)
    except ValueError:  # the allow-list itself is wrong, and reported above
        return []
    else:
        if not set("?#") & set(settings.TECKO_OPENAI_URL):
            return []
        problem = "It has a query or a fragment."
    return [
        Error(
            f"TECKO_OPENAI_URL: {problem}",
            hint="Name the address before /v1, such as https://api.openai.com; a gateway at a private address, or "
            "without TLS, has to be listed in TECKO_WEBHOOK_ALLOW.",
            id="polling.E002",
        )
    ]
