"""System checks: every wrong setting is reported with an id and a remedy."""

import ipaddress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from teckochecker.setup import privacy, started

RUNNING_SERVER = "running_server"  # checks with this tag are told by every command of the command line


@register()
def unreadable_values(**_: Any) -> list[CheckMessage]:
    return [
        Error(fault.problem, hint=fault.remedy, obj=fault.name, id="teckochecker.E001")
        for fault in settings.TECKO_SETTING_FAULTS
    ]


@register()
def unknown_settings(**_: Any) -> list[CheckMessage]:
    return [
        Error(fault.problem, hint=fault.remedy, obj=fault.name, id="teckochecker.E005")
        for fault in settings.TECKO_UNKNOWN_SETTINGS
    ]


@register(RUNNING_SERVER)
def older_settings(**_: Any) -> list[CheckMessage]:
    older = started.compare(settings.TECKO_HOME)
    if older is None:
        return []
    at = datetime.fromtimestamp(older.at, UTC)
    return [
        Warning(
            f"The server (process {older.process}) runs with older settings than .env: it started at "
            f"{at:%Y-%m-%d %H:%M}Z, and {', '.join(older.names)} changed since.",
            hint="Restart it: stop script/server and start it again.",
            id="teckochecker.W004",
        )
    ]


@register()
def secret_key(**_: Any) -> list[CheckMessage]:
    if len(settings.TECKO_SECRET_KEY) >= 50:
        return []
    return [
        Error(
            "TECKO_SECRET_KEY is missing or shorter than 50 characters.",
            hint="Run script/server once: it writes one into the .env of TECKO_HOME.",
            id="teckochecker.E002",
        )
    ]


@register()
def ca_bundle(**_: Any) -> list[CheckMessage]:
    path = settings.TECKO_CA_BUNDLE
    if not path:
        return []
    if Path(path).is_file() and "BEGIN CERTIFICATE" in Path(path).read_text(errors="replace"):
        return []
    return [
        Error(
            f"TECKO_CA_BUNDLE is {path!r}, which is not a file of PEM certificates.",
            hint="Name a readable PEM file, or leave it empty for the host's bundle.",
            id="teckochecker.E003",
        )
    ]


@register()
def egress_allow(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for word in settings.TECKO_EGRESS_ALLOW:
        try:
            ipaddress.IPv4Network(word, strict=False)
        except ValueError:
            found.append(
                Error(
                    f"TECKO_EGRESS_ALLOW names {word!r}, which is no IPv4 address or network.",
                    hint="List addresses or networks, for example 10.1.2.3 or 10.1.0.0/16.",
                    id="teckochecker.E004",
                )
            )
    return found


@register(Tags.security)
def open_home(**_: Any) -> list[CheckMessage]:
    """An open folder with nothing else in it has been closed by now."""
    home = settings.TECKO_HOME
    if not home.is_dir() or not privacy.is_open(home):
        return []
    others = ", ".join(privacy.foreign(home)[:3])
    return [
        Warning(
            f"TECKO_HOME is {home}, which other users can look into. In it is what is not ours: {others}.",
            hint=f"Set TECKO_HOME to a folder of its own, or chmod 700 {home}.",
            id="teckochecker.W003",
        )
    ]


@register(Tags.security)
def unprotected_network(**_: Any) -> list[CheckMessage]:
    if not settings.TECKO_UNPROTECTED_NETWORK:
        return []
    return [
        Warning(
            "TECKO_UNPROTECTED_NETWORK is yes: where packet rules cannot be set, scripts reach this machine and its "
            "networks.",
            hint="Take it out; manage.py customcheck doctor says why rules cannot be set, if they cannot.",
            id="teckochecker.W002",
        )
    ]


@register(Tags.security)
def plain_http(**_: Any) -> list[CheckMessage]:
    if settings.TECKO_PUBLIC_URL.startswith("https://") or _is_loopback(settings.TECKO_HOST):
        return []
    return [
        Warning(
            f"TECKO_HOST is {settings.TECKO_HOST}: passwords and tokens cross the network unencrypted.",
            hint="Put a TLS proxy in front and set TECKO_PUBLIC_URL to its https:// address.",
            id="teckochecker.W001",
        )
    ]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
