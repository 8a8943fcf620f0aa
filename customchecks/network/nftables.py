"""Packet rules in a table of our own in the kernel (nf_tables), set and read back over netlink.

A table of our own is flushed by nobody who flushes iptables, ufw or firewalld, and no rule of theirs, wherever it
stands, lets a packet pass that ours refuse. Standard library only, nothing of our other modules, and one file: the
container of ``rule_setters`` is given its text to run. See linux/netfilter/nf_tables.h for the numbers.
"""

import errno
import itertools
import json
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeAlias

# A list is a structure, whose members may come in any order; a tuple is a sequence, which has an order and an end
Value: TypeAlias = "bytes | list[Attribute] | tuple[Attribute, ...]"
Attribute: TypeAlias = tuple[int, Value]

FAMILY = 1  # inet: IPv4 and IPv6
HOOKS = {"input": 1, "forward": 2}  # by chain
PRIORITY = -10  # before everybody's filter rules, after the translation of addresses
ACCEPT, REFUSE = "accept", "refuse"

_NETFILTER = 12
_SUBSYSTEM = 10 << 8
_NEW_TABLE, _GET_TABLE, _DELETE_TABLE, _NEW_CHAIN, _GET_CHAIN, _NEW_RULE, _GET_RULE, _GET_GENERATION = (
    *(_SUBSYSTEM | number for number in (0, 1, 2, 3, 4, 6, 7, 16)),
)
_BATCH_BEGIN, _BATCH_END = 16, 17
_ERROR, _DONE = 2, 3
_REQUEST, _ACKNOWLEDGE, _DUMP, _CREATE, _APPEND = 1, 4, 0x300, 0x400, 0x800
_INTERRUPTED = 0x10
_DORMANT = 1
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_SECONDS = 10
_IN_NAME, _OUT_NAME, _PROTOCOL_FAMILY, _TRANSPORT = 6, 7, 15, 16
_IPV6 = 10
_REPLY = 1


class RulesFailed(Exception):
    """The kernel does not take the rules, or does not tell them; the message is safe to show."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which packets get which verdict: everything that is set has to fit.

    ``port`` is of TCP or UDP, by ``protocol``'s number.
    """

    verdict: str
    to: str = ""
    protocol: int = 0
    port: int = 0
    out: str = ""
    reply: bool = False
    ipv6: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rules by chain.

    ``chains`` are for packets that come in at ``interface``; those of other interfaces they let pass.
    """

    name: str
    interface: str
    chains: dict[str, tuple[Rule, ...]]


class Kernel:
    """The nf_tables of this thread's network. Not thread-safe."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        with _translated():
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETFILTER)
        self._socket.settimeout(_SECONDS)

    def close(self) -> None:
        self._socket.close()

    def generation(self) -> int:
        """Another number after each change of anybody's nf_tables in this network."""
        with _translated():
            answer = self._ask(_GET_GENERATION, family=0)[0]
        return int.from_bytes(dict(_attributes(answer))[1], "big")

    def holds(self, table: Table) -> bool:
        """Whether the kernel has the table exactly, and uses it."""
        with _translated():
            try:
                found = self._ask(_GET_TABLE, _name(1, table.name))[0]
                flags = int.from_bytes(dict(_attributes(found)).get(2, b""), "big")
                return not flags & _DORMANT and self._chains_hold(table) and self._rules_hold(table)
            except (FileNotFoundError, InterruptedError):  # InterruptedError: it changed while it was read
                return False

    def set(self, table: Table) -> None:
        """Replaces it in one step, so that there is no moment without rules."""
        name = _name(1, table.name)
        messages = [(_NEW_TABLE, _CREATE, name), (_DELETE_TABLE, 0, name), (_NEW_TABLE, _CREATE, name)]
        for chain in table.chains:
            messages.append((_NEW_CHAIN, _CREATE, b"".join(map(_encoded, _chain(table, chain)))))
        for chain in table.chains:
            for rule in _rules(table, chain):
                body = name + _name(2, chain) + _encoded((4, rule))
                messages.append((_NEW_RULE, _CREATE | _APPEND, body))
        self._change(messages)

    def remove(self, name: str) -> None:
        """Also where it is not there."""
        body = _name(1, name)
        self._change([(_NEW_TABLE, _CREATE, body), (_DELETE_TABLE, 0, body)])

    def _chains_hold(self, table: Table) -> bool:
        found = self._ask(_GET_CHAIN, _name(1, table.name), flags=_DUMP)
        ours = [message for message in found if _has(message, [(1, _text(table.name))])]
        return len(ours) == len(table.chains) and all(
            any(_has(message, _chain(table, chain)) for message in ours) for chain in table.chains
        )

    def _rules_hold(self, table: Table) -> bool:
        found = self._ask(_GET_RULE, _name(1, table.name), flags=_DUMP)
        for chain in table.chains:
            place: list[Attribute] = [(1, _text(table.name)), (2, _text(chain))]
            ours = [message for message in found if _has(message, place)]
            wanted = _rules(table, chain)
            if len(ours) != len(wanted):
                return False
            if not all(_has(message, [(4, rule)]) for message, rule in zip(ours, wanted, strict=True)):
                return False
        return True

    def _ask(self, kind: int, body: bytes = b"", *, flags: int = 0, family: int = FAMILY) -> list[bytes]:
        """The bodies of the answers. Raises OSError; InterruptedError where it changed while it was read."""
        number = next(self._numbers)
        self._socket.send(_message(kind, _REQUEST | flags, number, body, family=family))
        found: list[bytes] = []
        while True:
            for said, said_flags, answered, content in self._received():
                if answered != number:
                    continue
                if said_flags & _INTERRUPTED:
                    raise InterruptedError(errno.EINTR, "it changed meanwhile")
                if said == _ERROR:
                    _raise(content)
                if said in (_ERROR, _DONE):
                    return found
                found.append(content[4:])
                if not flags & _DUMP:
                    return found

    def _change(self, messages: Sequence[tuple[int, int, bytes]]) -> None:
        """All or nothing."""
        begin = next(self._numbers)
        numbers = [next(self._numbers) for _ in messages]
        batch = [_message(_BATCH_BEGIN, _REQUEST, begin, family=0, resource=10)]
        for number, (kind, flags, body) in zip(numbers, messages, strict=True):
            batch.append(_message(kind, _REQUEST | _ACKNOWLEDGE | flags, number, body))
        batch.append(_message(_BATCH_END, _REQUEST, next(self._numbers), family=0, resource=10))
        with _translated():
            self._socket.send(b"".join(batch))
            waiting = set(numbers)
            while waiting:
                for said, _, answered, content in self._received():
                    if said == _ERROR and answered >= begin:
                        _raise(content)
                        waiting.discard(answered)

    def _received(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, number and content of each message."""
        data = self._socket.recv(1 << 18)
        while len(data) >= _HEADER.size:
            length, kind, flags, number, _ = _HEADER.unpack_from(data)
            yield kind, flags, number, data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _chain(table: Table, chain: str) -> list[Attribute]:
    hook: list[Attribute] = [(1, _number(HOOKS[chain])), (2, _number(PRIORITY))]
    return [(1, _text(table.name)), (3, _text(chain)), (4, hook), (5, _number(1)), (7, _text("filter"))]


def _rules(table: Table, chain: str) -> list[tuple[Attribute, ...]]:
    """Lists of expressions. The first one lets pass what comes from elsewhere."""
    elsewhere = (_meta(_IN_NAME), _compare(_interface(table.interface), equal=False), _verdict(ACCEPT))
    return [elsewhere, *(_expressions(rule) for rule in table.chains[chain])]


def _expressions(rule: Rule) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    if rule.reply:
        found += [_expression("ct", [(1, _number(1)), (2, _number(1))]), _compare(bytes([_REPLY]))]
    if rule.ipv6:
        found += [_meta(_PROTOCOL_FAMILY), _compare(bytes([_IPV6]))]
    if rule.out:
        found += [_meta(_OUT_NAME), _compare(_interface(rule.out))]
    if rule.to:
        found += _destination(IPv4Network(rule.to))
    if rule.protocol:
        found += [_meta(_TRANSPORT), _compare(bytes([rule.protocol]))]
        found += [_payload(base=2, offset=2, length=2), _compare(rule.port.to_bytes(2, "big"))]
    return (*found, _verdict(rule.verdict))


def _destination(network: IPv4Network) -> list[Attribute]:
    """Of a packet that is known to be IPv4."""
    mask: list[Attribute] = [
        (1, _number(1)),
        (2, _number(1)),
        (3, _number(4)),
        (4, _data(network.netmask.packed)),
        (5, _data(bytes(4))),
    ]
    masked = [_expression("bitwise", mask)] if network.prefixlen < 32 else []
    return [_payload(base=1, offset=16, length=4), *masked, _compare(network.network_address.packed)]


def _payload(*, base: int, offset: int, length: int) -> Attribute:
    values = enumerate((1, base, offset, length), 1)
    return _expression("payload", [(kind, _number(value)) for kind, value in values])


def _meta(key: int) -> Attribute:
    return _expression("meta", [(1, _number(1)), (2, _number(key))])


def _compare(value: bytes, *, equal: bool = True) -> Attribute:
    return _expression("cmp", [(1, _number(1)), (2, _number(0 if equal else 1)), (3, _data(value))])


def _verdict(verdict: str) -> Attribute:
    if verdict == REFUSE:
        return _expression("reject", [(1, _number(2)), (2, b"\1")])  # whatever says "port unreachable" in the family
    return _expression("immediate", [(1, _number(0)), (2, [(2, [(1, _number(1))])])])


def _expression(name: str, values: list[Attribute]) -> Attribute:
    return (1, [(1, _text(name)), (2, values)])


def _data(value: bytes) -> list[Attribute]:
    return [(1, value)]


def _interface(name: str) -> bytes:
    return name.encode().ljust(16, b"\0")


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _number(value: int) -> bytes:
    return struct.pack(">i", value)


def _name(kind: int, value: str) -> bytes:
    return _encoded((kind, _text(value)))


def _encoded(attribute: Attribute) -> bytes:
    kind, value = attribute
    if not isinstance(value, bytes):
        kind, value = kind | _NESTED, b"".join(map(_encoded, value))
    return (struct.pack("=HH", len(value) + 4, kind) + value).ljust((len(value) + 7) & ~3, b"\0")


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4 : max(length, 4)]
        data = data[max((length + 3) & ~3, 4) :]


def _has(data: bytes, wanted: Sequence[Attribute]) -> bool:
    """Whether each attribute that we set is there with our value: the kernel tells more than it was told."""
    found = list(_attributes(data))
    return all(any(kind == there and _is(value, one) for there, value in found) for kind, one in wanted)


def _is(value: bytes, wanted: Value) -> bool:
    if isinstance(wanted, bytes):
        return value == wanted
    if isinstance(wanted, list):
        return _has(value, wanted)
    found = list(_attributes(value))
    return len(found) == len(wanted) and all(map(_is, (one for _, one in found), (one for _, one in wanted)))


def _message(
    kind: int, flags: int, number: int, body: bytes = b"", *, family: int = FAMILY, resource: int = 0
) -> bytes:
    content = struct.pack(">BBH", family, 0, resource) + body
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, number, 0) + content


def _raise(content: bytes) -> None:
    code = -int(struct.unpack_from("=i", content)[0])
    if code:
        raise OSError(code, os.strerror(code))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise RulesFailed("This process may not set packet rules.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RulesFailed(f"The kernel does not take packet rules (nf_tables): {reason}.") from error


def serve(lines: Iterable[str]) -> Iterator[str]:
    """Answers orders, one JSON a line: see ``customchecks.network.rule_setters``."""
    kernel = Kernel()
    for line in lines:
        try:
            yield json.dumps({"answer": _obey(kernel, **json.loads(line))})
        except RulesFailed as error:
            yield json.dumps({"failed": str(error)})


def _obey(kernel: Kernel, order: str, **values: Any) -> Any:
    match order:
        case "generation":
            return kernel.generation()
        case "holds":
            return kernel.holds(_table(**values))
        case "set":
            return kernel.set(_table(**values))
        case "remove":
            return kernel.remove(**values)
        case _:
            return _read(**values)


def _read(path: str) -> str:
    """Empty where it cannot be read."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _table(name: str, interface: str, chains: dict[str, list[dict[str, Any]]]) -> Table:
    rules = {chain: tuple(Rule(**rule) for rule in found) for chain, found in chains.items()}
    return Table(name=name, interface=interface, chains=rules)


if __name__ == "__main__":
    for answer in serve(iter(sys.stdin.readline, "")):
        print(answer, flush=True)  # noqa: T201
