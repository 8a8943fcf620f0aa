"""The bridge that scripts are on, and the packet rules that keep them from the host, its networks and each other.

Docker makes the bridge with inter-container traffic off. Everything else is a table of our own in the kernel's
nf_tables, for packets from our bridge only: ``packet_rules`` says what it refuses, ``rule_setters`` who sets it.
"""

import ipaddress
import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from customchecks.docker.engine import Engine, EngineError, NotFound
from customchecks.docker.hardening import INSTANCE
from customchecks.network import packet_rules, rule_setters
from customchecks.network.nftables import RulesFailed, Table
from customchecks.network.rule_setters import BRIDGED_PACKETS, RuleContainer, RuleSetter

logger = structlog.get_logger(__name__)

CHECK_SECONDS = 30.0
REFUSED_SECONDS = 10.0
MAX_ATTEMPTS = 3
_NO_NETWORK = (
    "The engine cannot make the network of the checks. Where it misses packet rules of its own, which somebody has "
    "flushed, restart it. Where it has no address range left, remove networks that nobody uses (docker network prune), "
    "or name a free range in TECKO_SUBNET."
)


class Unprotected(Exception):
    """Packet rules cannot be set, or not be read back from the kernel; the message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class NetworkStatus:
    """The network as doctor shows it.

    ``rules`` is True only when the packet rules were read back from the kernel; else ``message`` says why not.
    """

    name: str
    present: bool
    rules: bool
    message: str = ""


class EgressNetwork:
    """An instance's bridge and its packet rules.

    Thread-safe. ``allow`` are IPv4 networks that scripts may reach although they are private.

    ``image`` finds the one of the container that sets packet rules where this process may not. With
    ``unprotected_allowed`` scripts run without rules, too.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        instance: str,
        image: Callable[[], str] = lambda: "",
        allow: Collection[str] = (),
        subnet: str = "",
        unprotected_allowed: bool = False,
    ) -> None:
        self._engine = engine
        self._instance = instance
        self._image = image
        self._subnet = subnet
        self._allow = tuple(str(ipaddress.ip_network(item, strict=False)) for item in allow)
        self.unprotected_allowed = unprotected_allowed
        self.name = f"teckochecker-{instance}"
        self._bridge = f"tck-{instance[:8]}"
        self._lock = threading.RLock()
        self._setter: RuleSetter | None = None
        self._held: tuple[Table, int] | None = None  # what was read back last, and the kernel's generation then
        self._refused = ("", 0.0)  # why no container could be started, and until when none is
        self._checked = 0.0
        self.complaint = ""

    @property
    def rule_container(self) -> str:
        """The id of the container that sets this process's rules; empty where there is none."""
        setter = self._setter
        return setter.container if isinstance(setter, RuleContainer) else ""

    def ensure(self) -> None:
        """Makes what is missing of the bridge, which is looked at every 30 s, and of its rules, at every call.

        Raises EngineError, and Unprotected where scripts must not run.
        """
        with self._lock:
            if not self._checked or time.monotonic() - self._checked >= CHECK_SECONDS:
                self._make()
                self._checked = time.monotonic()
            try:
                self._protect()
                self.complaint = ""
            except RulesFailed as error:
                self._complain(str(error))
                if not self.unprotected_allowed:
                    raise Unprotected(str(error)) from error

    def obstacle(self) -> str:
        """Why rules do not hold, or would not; makes nothing that stays, but the rules of a network that is there."""
        try:
            self._engine.network(self.name)
        except NotFound:
            return self._obstacle()
        with suppress(Unprotected):
            self.ensure()
        return self.complaint

    def _obstacle(self) -> str:
        with self._lock:
            try:
                with closing(rule_setters.preferred(self._engine, rule_container=self._new_rule_container)) as setter:
                    setter.generation()
            except RulesFailed as error:
                return str(error)
        return ""

    def forget(self) -> None:
        """The next ``ensure`` looks again."""
        with self._lock:
            self._checked = 0.0
            self._let_go()

    def status(self) -> NetworkStatus:
        """Sets nothing."""
        try:
            self._engine.network(self.name)
        except NotFound:
            return NetworkStatus(name=self.name, present=False, rules=False, message="The network is made when needed.")
        with self._lock:
            try:
                message = self._fault()
            except RulesFailed as error:
                message = str(error)
        return NetworkStatus(name=self.name, present=True, rules=not message, message=message)

    def remove(self) -> bool:
        """This instance's bridge and rules. False where the engine keeps the bridge: then the rules stay as well."""
        with self._lock:
            self._let_go()
            with suppress(RulesFailed, EngineError):
                self._setter = self._remover()
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

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def _make(self) -> None:
        try:
            self._engine.network(self.name)
        except NotFound:
            self._let_go()
            self._create()

    def _complain(self, reason: str) -> None:
        """Once, not with every look."""
        if reason != self.complaint:
            logger.warning("network_rules_missing", network=self.name, reason=reason)
        self.complaint = reason

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

    # Packet rules

    def _protect(self) -> None:
        """Asks somebody else once where who was asked before has ended, as containers do with their engine."""
        asked_before = self._setter is not None
        try:
            self._set_rules()
        except RulesFailed:
            if not asked_before:
                raise
            self._set_rules()

    def _set_rules(self) -> None:
        """Where they do not hold; and reads them back."""
        for _ in range(MAX_ATTEMPTS):
            if not (message := self._fault()):
                return
            setter, table = self._find_setter(), self._table()
            self._bridge_packets(setter)
            packet_rules.remove_former(instance=self._instance, bridge=self._bridge)
            setter.set(table)
            logger.info("network_rules_set", network=self.name)
        raise RulesFailed(message)

    def _fault(self) -> str:
        """Why scripts are not held; empty where they are. The rules are read where anybody has changed any since."""
        setter = self._find_setter()
        try:
            table = self._table()
            if not setter.read(BRIDGED_PACKETS).startswith("1"):
                return "Checks can reach each other: net.bridge.bridge-nf-call-iptables is off."
            now = table, setter.generation()
            if now != self._held:
                self._held = None
                if not setter.holds(table):
                    return "The packet rules are not in force."
                self._held = now
        except RulesFailed:
            self._let_go()
            raise
        return ""

    def _bridge_packets(self, setter: RuleSetter) -> None:
        """Without it packets between two containers of one bridge pass no rule, Docker's own included."""
        if isinstance(setter, rule_setters.LocalRuleSetter) and not setter.read(BRIDGED_PACKETS).startswith("1"):
            with suppress(OSError):
                Path(BRIDGED_PACKETS).write_text("1")

    def _find_setter(self) -> RuleSetter:
        if isinstance(self._setter, RuleContainer) and time.monotonic() > self._setter.until:
            self._let_go()
        if self._setter is None:
            self._setter = rule_setters.find(self._engine, bridge=self._bridge, rule_container=self._new_rule_container)
        return self._setter

    def _new_rule_container(self) -> RuleContainer:
        """One that cannot be started is not tried again for a while: a try takes as long as a check."""
        reason, until = self._refused
        if time.monotonic() < until:
            raise RulesFailed(reason)
        image = self._image()
        if not image:
            raise RulesFailed("This process may not set packet rules, and there is no runner image that could.")
        try:
            return RuleContainer(self._engine, image=image, instance=self._instance)
        except RulesFailed as error:
            self._refused = str(error), time.monotonic() + REFUSED_SECONDS
            raise

    def _let_go(self) -> None:
        if self._setter is not None:
            self._setter.close()
        self._setter, self._held = None, None

    def _table(self) -> Table:
        return packet_rules.table(
            instance=self._instance,
            bridge=self._bridge,
            allow=self._allow,
            resolvers=rule_setters.resolvers(self._find_setter()),
        )

    def _remover(self) -> RuleSetter | None:
        """Where the bridge is gone already, nobody else can be asked whose network its rules are in."""
        try:
            self._engine.network(self.name)
        except NotFound:
            return rule_setters.LocalRuleSetter() if self._engine.is_local else None
        return self._find_setter()

    def _remove_rules(self) -> None:
        packet_rules.remove_former(instance=self._instance, bridge=self._bridge)
        if self._setter is None:
            return
        try:
            self._setter.remove(packet_rules.name(self._instance))
        except RulesFailed as error:
            logger.warning("network_rules_not_removed", network=self.name, reason=str(error))
