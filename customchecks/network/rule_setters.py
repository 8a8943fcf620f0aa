"""Who sets packet rules in the engine's network: this process, or a container that may.

The network is this process's where it can see the instance's bridge; not with an engine on another machine, or a
rootless one. And only root may set rules. In the other cases a container of our own image does it, with that one
capability and the network of the engine's host: who may use an engine may start it. No script and no secret ever come
to it, and it ends when its input closes.
"""

import dataclasses
import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from customchecks.docker import hardening
from customchecks.docker.engine import Engine, EngineError, EngineUnavailable
from customchecks.network import nftables, packet_rules
from customchecks.network.nftables import Kernel, RulesFailed, Table

BRIDGED_PACKETS = "/proc/sys/net/bridge/bridge-nf-call-iptables"
RULE_CONTAINER_SECONDS = 600
ANSWER_SECONDS = 15.0
_STDOUT = 1


class RuleSetter(Protocol):
    """Who sets and reads packet rules in the engine's network.

    All raise RulesFailed, and a container EngineUnavailable where there is none any more.
    """

    def generation(self) -> int: ...

    def holds(self, table: Table) -> bool: ...

    def set(self, table: Table) -> None: ...

    def remove(self, name: str) -> None: ...

    def read(self, path: str) -> str: ...

    def close(self) -> None: ...


class LocalRuleSetter(Kernel):
    """This process, where it may set rules and the network is its own."""

    def read(self, path: str) -> str:
        return packet_rules.text(path)


class RuleContainer:
    """A container that sets rules for us. Not thread-safe. Wanted ``until`` a monotonic time."""

    def __init__(self, engine: Engine, *, image: str, instance: str) -> None:
        self._engine = engine
        self.until = time.monotonic() + RULE_CONTAINER_SECONDS
        self.container = ""
        self._lines = b""
        deadline = str(int(time.time() + 2 * RULE_CONTAINER_SECONDS))
        labels = hardening.labels(instance=instance, purpose=hardening.RULE_CONTAINER, deadline=deadline)
        code = Path(nftables.__file__).read_text(encoding="utf-8")
        with ExitStack() as stack:
            try:
                config = hardening.rule_container(image, code, labels=labels, remapped=_remaps_users(engine))
                self.container = engine.create(config)
                stack.callback(self._remove)
                self._socket = stack.enter_context(engine.attach(self.container))
                engine.start(self.container)
            except EngineUnavailable:
                raise
            except EngineError as error:
                raise RulesFailed(f"The container that sets packet rules cannot be started: {error}") from error
            self._socket.settimeout(ANSWER_SECONDS)
            self._left = stack.pop_all()

    def generation(self) -> int:
        return int(self._ask("generation"))

    def holds(self, table: Table) -> bool:
        return bool(self._ask("holds", **dataclasses.asdict(table)))

    def set(self, table: Table) -> None:
        self._ask("set", **dataclasses.asdict(table))

    def remove(self, name: str) -> None:
        self._ask("remove", name=name)

    def read(self, path: str) -> str:
        return str(self._ask("read", path=path))

    def close(self) -> None:
        self._left.close()

    def _ask(self, order: str, **values: Any) -> Any:
        try:
            self._socket.sendall(json.dumps({"order": order, **values}).encode() + b"\n")
            said = json.loads(self._line())
        except (OSError, ValueError) as error:
            raise RulesFailed(f"The container that sets packet rules does not answer: {error}") from error
        if "failed" in said:
            raise RulesFailed(said["failed"])
        return said["answer"]

    def _line(self) -> bytes:
        while b"\n" not in self._lines:
            stream, content = self._frame()
            if stream != _STDOUT:
                raise OSError(content.decode(errors="replace").strip().rpartition("\n")[2])
            self._lines += content
        line, _, self._lines = self._lines.partition(b"\n")
        return line

    def _frame(self) -> tuple[int, bytes]:
        """The engine puts eight bytes before each piece: which stream, and how many bytes follow."""
        head = self._exactly(8)
        return head[0], self._exactly(int.from_bytes(head[4:], "big"))

    def _exactly(self, size: int) -> bytes:
        found = self._socket.recv(size, socket.MSG_WAITALL)
        if len(found) < size:
            raise OSError("it has ended")
        return found

    def _remove(self) -> None:
        try:
            self._engine.remove(self.container)
        except EngineError:
            return  # its input is closed; the next reap removes it


def resolvers(setter: RuleSetter) -> tuple[str, ...]:
    """A container on the network of the engine's host is given the host's first file, and systemd's by nobody."""
    first, *others = packet_rules.RESOLVER_FILES
    return packet_rules.resolvers([setter.read(first), *map(packet_rules.text, others)])


def _remaps_users(engine: Engine) -> bool:
    return any("name=userns" in option for option in engine.info().get("SecurityOptions") or ())


def find(engine: Engine, *, bridge: str, rule_container: Callable[[], RuleContainer]) -> RuleSetter:
    """Raises RulesFailed."""
    if bridge in (name for _, name in socket.if_nameindex()):
        return preferred(engine, rule_container=rule_container)
    return rule_container()


def preferred(engine: Engine, *, rule_container: Callable[[], RuleContainer]) -> RuleSetter:
    """Who would set the rules, as long as there is no bridge that says whose network it is in. Raises RulesFailed."""
    if engine.is_local:
        local = LocalRuleSetter()
        try:
            local.generation()
            return local
        except RulesFailed:
            local.close()
    return rule_container()
