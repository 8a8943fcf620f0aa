"""What scripts may reach: the packets of an instance's bridge that are refused, and those that are let pass."""

import ipaddress
import subprocess
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from customchecks.network.nftables import ACCEPT, REFUSE, Rule, Table

REFUSED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",  # the metadata service of one cloud, outside the private ranges
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
RESOLVER_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
_DNS = 53
_TCP, _UDP = 6, 17
_FORMER_SECONDS = 20


def table(*, instance: str, bridge: str, allow: Collection[str], resolvers: Iterable[str]) -> Table:
    """``allow`` are IPv4 networks. Replies to who reached into a container pass, whatever else holds."""
    asked = [
        Rule(verdict=ACCEPT, to=f"{server}/32", protocol=protocol, port=_DNS)
        for server in resolvers
        for protocol in (_UDP, _TCP)
    ]
    replies, no_ipv6 = Rule(verdict=ACCEPT, reply=True), Rule(verdict=REFUSE, ipv6=True)
    beyond = [
        replies,
        no_ipv6,
        Rule(verdict=REFUSE, out=bridge),  # other checks
        *asked,
        *(Rule(verdict=ACCEPT, to=network) for network in allow),
        *(Rule(verdict=REFUSE, to=network) for network in REFUSED),
    ]
    hosts = [Rule(verdict=ACCEPT, to=network) for network in allow if network.endswith("/32")]
    to_us = [replies, no_ipv6, *asked, *hosts, Rule(verdict=REFUSE)]
    return Table(name=name(instance), interface=bridge, chains={"forward": tuple(beyond), "input": tuple(to_us)})


def name(instance: str) -> str:
    return f"teckochecker_{instance[:8]}"


def resolvers(texts: Iterable[str]) -> tuple[str, ...]:
    """IPv4 name servers that the engine hands to containers: of the first resolv.conf with one beyond the loopback."""
    for text in texts:
        words = [line.split() for line in text.splitlines()]
        servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver" and _reachable(line[1])]
        if servers:
            return tuple(dict.fromkeys(servers))
    return ()


def _reachable(address: str) -> bool:
    try:
        return not ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def remove_former(*, instance: str, bridge: str) -> None:
    """Rules of version 1.0, which stood among those of iptables; they would refuse what has been allowed since."""
    forward = f"TECKO-{instance[:8]}"
    chains = {"DOCKER-USER": forward, "INPUT": f"{forward}-IN"}
    if f"-N {forward}" not in _iptables("-S").split("\n"):
        return
    for place, chain in chains.items():
        _iptables("-D", place, "-i", bridge, "-j", chain)
        _iptables("-F", chain)
        _iptables("-X", chain)


def _iptables(*words: str) -> str:
    """Empty where it does not work."""
    with suppress(OSError, subprocess.TimeoutExpired):
        command = ["iptables", "-w", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=_FORMER_SECONDS, check=False).stdout
    return ""


def text(path: str) -> str:
    """Empty where it cannot be read."""
    with suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""
