"""Whether our own packet rules keep an installation from the package indexes, and what the operator can do about it."""

import ipaddress
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from customchecks.network import packet_rules

MAX_HOSTS = 10
_REFUSED = tuple(ipaddress.IPv4Network(network) for network in packet_rules.REFUSED)


@dataclass(frozen=True)
class Obstacle:
    """Both are sentences."""

    problem: str
    remedy: str


def obstacle(hosts: Iterable[str]) -> Obstacle | None:
    """None where nothing of ours keeps an installation from these hosts."""
    refused = {host: found for host in list(dict.fromkeys(hosts))[:MAX_HOSTS] if (found := _refused(host))}
    if not refused:
        return None
    named = "; ".join(host if [host] == found else f"{host} is {', '.join(found)}" for host, found in refused.items())
    addresses = sorted({address for found in refused.values() for address in found})
    allowed = ",".join([*settings.TECKO_EGRESS_ALLOW, *addresses])
    return Obstacle(
        f"The package index is at an address that checks and installations may not reach ({named}).",
        f"Set TECKO_EGRESS_ALLOW={allowed}",
    )


def _refused(host: str) -> list[str]:
    allowed = list(_networks(settings.TECKO_EGRESS_ALLOW))
    return [
        str(address)
        for address in sorted(set(_addresses(host)))
        if _in(address, _REFUSED) and not _in(address, allowed)
    ]


def _networks(words: Iterable[str]) -> Iterator[ipaddress.IPv4Network]:
    """A word that is none is told as a fault of the setting."""
    for word in words:
        with suppress(ValueError):
            yield ipaddress.IPv4Network(word, strict=False)


def _in(address: ipaddress.IPv4Address, networks: Collection[ipaddress.IPv4Network]) -> bool:
    return any(address in network for network in networks)


def _addresses(host: str) -> list[ipaddress.IPv4Address]:
    """As this machine resolves it, which a container does alike. Empty where it cannot be resolved."""
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.IPv4Address(str(entry[4][0])) for entry in found]
