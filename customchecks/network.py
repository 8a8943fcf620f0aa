"""The bridge that scripts are on, and the packet rules that keep them from the host, its networks and each other.

Docker makes the bridge with inter-container traffic off. Everything else is two chains of our own per instance:
``TECKO-<id>`` for what a container sends beyond the host (jumped to from ``DOCKER-USER``) and ``TECKO-<id>-IN`` for
what it sends to the host itself (from ``INPUT``), both for packets from our bridge only.
"""

import ipaddress
import subprocess
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from customchecks.engine import Engine, EngineError, NotFound
from customchecks.hardening import INSTANCE

logger = structlog.get_logger(__name__)

CHECK_SECONDS = 30.0
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
# Without it packets between two containers of one bridge pass no rule, Docker's own included
BRIDGED_PACKETS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))

_REJECT = "-j REJECT --reject-with icmp-port-unreachable"
_COMMAND_SECONDS = 20
_NO_NETWORK = (
    "The engine cannot make the network of the checks. Where it has no address range left, remove networks that nobody "
    "uses (docker network prune), or name a free range in TECKO_SUBNET."
)


class RulesFailed(Exception):
    """The packet rules cannot be read or set; the message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class NetworkStatus:
    """``rules`` is True only when the packet rules were read back from the kernel; else ``message`` says why not."""

    name: str
    present: bool
    rules: bool
    message: str = ""


class EgressNetwork:
    """Thread-safe. ``allow`` are IPv4 networks that scripts may reach although they are private."""

    def __init__(self, engine: Engine, *, instance: str, allow: Collection[str] = (), subnet: str = "") -> None:
        self._engine = engine
        self._instance = instance
        self._subnet = subnet
        self._allow = tuple(str(ipaddress.ip_network(item, strict=False)) for item in allow)
        self.name = f"teckochecker-{instance}"
        self._bridge = f"tck-{instance[:8]}"
        self._forward = f"TECKO-{instance[:8]}"
        self._input = f"{self._forward}-IN"
        self._lock = threading.Lock()
        self._checked = 0.0
        self._complaint = ""

    def ensure(self) -> None:
        """Makes what is missing of the bridge and its rules; looks at most every 30 s. Raises EngineError."""
        with self._lock:
            if self._checked and time.monotonic() - self._checked < CHECK_SECONDS:
                return
            self._make()
            self._checked = time.monotonic()

    def forget(self) -> None:
        """The next ``ensure`` looks again."""
        self._checked = 0.0

    def status(self) -> NetworkStatus:
        try:
            self._engine.network(self.name)
        except NotFound:
            return NetworkStatus(name=self.name, present=False, rules=False, message="The network is made when needed.")
        message = self._fault()
        return NetworkStatus(name=self.name, present=True, rules=not message, message=message)

    def _fault(self) -> str:
        if not _read(BRIDGED_PACKETS).startswith("1"):
            return "Checks can reach each other: net.bridge.bridge-nf-call-iptables is off."
        try:
            return "" if self._rules_hold() else "The packet rules are not in force."
        except RulesFailed as error:
            return str(error)

    def remove(self) -> bool:
        """This instance's bridge and rules. False where the engine keeps the bridge: then the rules stay as well."""
        try:
            self._engine.remove_network(self.name)
        except NotFound:
            pass
        except EngineError as error:
            logger.warning("network_not_removed", network=self.name, reason=str(error))
            return False
        self._remove_rules()
        self.forget()
        return True

    def _make(self) -> None:
        try:
            self._engine.network(self.name)
        except NotFound:
            self._create()
        try:
            if not self._rules_hold():
                self._set_rules()
            self._complaint = ""
        except RulesFailed as error:
            self._complain(str(error))

    def _complain(self, reason: str) -> None:
        """Once, not with every look."""
        if reason != self._complaint:
            logger.warning("network_rules_missing", network=self.name, reason=reason)
        self._complaint = reason

    def _create(self) -> None:
        options = {
            "com.docker.network.bridge.name": self._bridge,
            "com.docker.network.bridge.enable_icc": "false",
        }
        try:
            labels = {INSTANCE: self._instance}
            self._engine.create_network(self.name, options=options, labels=labels, subnet=self._subnet)
        except EngineError as error:
            # Another process of this instance was faster; the engine has several words for that
            try:
                self._engine.network(self.name)
            except NotFound:
                raise type(error)(f"{_NO_NETWORK} It says: {error}") from None

    # Packet rules, written as ``iptables -S`` prints them so that they can be compared

    def _rules(self) -> dict[str, list[str]]:
        resolvers = host_resolvers()
        return {
            self._forward: [
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                *_to_resolvers(resolvers, "RETURN"),
                *(f"{_to(network)}-j RETURN" for network in self._allow),
                *(f"-d {network} {_REJECT}" for network in REFUSED),
            ],
            self._input: [
                "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
                *_to_resolvers(resolvers, "ACCEPT"),
                *(f"-d {network} -j ACCEPT" for network in self._allow if network.endswith("/32")),
                _REJECT,
            ],
        }

    def _jumps(self) -> tuple[tuple[str, str], ...]:
        return (
            ("DOCKER-USER", f"-i {self._bridge} -j {self._forward}"),
            ("INPUT", f"-i {self._bridge} -j {self._input}"),
        )

    def _rules_hold(self) -> bool:
        present = _iptables("-S").splitlines()
        return all(
            [line for line in present if line.startswith(f"-A {chain} ")] == [f"-A {chain} {rule}" for rule in rules]
            for chain, rules in self._rules().items()
        ) and all(_first(present, chain, jump) for chain, jump in self._jumps())

    def _set_rules(self) -> None:
        """The chains are replaced in one step, so there is no moment without rules."""
        lines = ["*filter", *(f":{chain} - [0:0]" for chain in self._rules())]
        lines += [f"-A {chain} {rule}" for chain, rules in self._rules().items() for rule in rules]
        _run(("iptables-restore", "-w", "--noflush"), "\n".join([*lines, "COMMIT", ""]))
        for chain, jump in self._jumps():
            with suppress(RulesFailed):
                _iptables("-D", chain, *jump.split())
            _iptables("-I", chain, "1", *jump.split())
        logger.info("network_rules_set", network=self.name)

    def _remove_rules(self) -> None:
        for chain, jump in self._jumps():
            with suppress(RulesFailed):
                _iptables("-D", chain, *jump.split())
        for chain in (self._forward, self._input):
            with suppress(RulesFailed):
                _iptables("-F", chain)
                _iptables("-X", chain)


def host_resolvers(files: Iterable[Path] = RESOLVER_FILES) -> tuple[str, ...]:
    """IPv4 name servers that the engine hands to containers: the first file's that has one beyond the loopback."""
    for file in files:
        words = [line.split() for line in _read(file).splitlines()]
        servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver" and _reachable(line[1])]
        if servers:
            return tuple(dict.fromkeys(servers))
    return ()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _reachable(address: str) -> bool:
    try:
        return not ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def _to_resolvers(resolvers: Iterable[str], target: str) -> list[str]:
    return [
        f"-d {server}/32 -p {protocol} -m {protocol} --dport 53 -j {target}"
        for server in resolvers
        for protocol in ("udp", "tcp")
    ]


def _to(network: str) -> str:
    return "" if network == "0.0.0.0/0" else f"-d {network} "


def _first(rules: list[str], chain: str, jump: str) -> bool:
    """Whether nothing that could accept a packet stands before our jump: only jumps of our own kind may."""
    for rule in rules:
        if rule == f"-A {chain} {jump}":
            return True
        if rule.startswith(f"-A {chain} ") and " -j TECKO-" not in rule:
            return False
    return False


def _iptables(*arguments: str) -> str:
    return _run(("iptables", "-w", *arguments))


def _run(command: tuple[str, ...], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=True)
    except FileNotFoundError:
        raise RulesFailed(f"{command[0]} is not installed, so no packet rules are in force.") from None
    except subprocess.CalledProcessError as error:
        raise RulesFailed(f"{command[0]} failed: {error.stderr.strip()[:200]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RulesFailed(f"{command[0]} failed: {error}") from error
    return done.stdout
