"""Which addresses a call may go to: the grammar of a URL, what is a public address, and the operator's allow-list.

Pure: no name is resolved and no socket is opened here.
"""

import enum
import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import idna

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_LENGTH = 500
MAX_HOST_LENGTH = 253
MAX_LABEL_LENGTH = 63
MALFORMED_HOST = "The host name has an empty, too long or malformed part."
DEFAULT_PORTS = {"https": 443, "http": 80}

_URL = re.compile(r"(https?)://([^/?#]*)([/?][^#]*)?(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
ASK = "The operator can allow it with TECKO_WEBHOOK_ALLOW."


class UrlRefused(ValueError):
    """The URL itself is not acceptable, whatever its name resolves to. The message is safe to show."""


class AddressRefused(ValueError):
    """What the name resolves to now is not acceptable. The message is safe to show: it names no address."""


class Kind(enum.StrEnum):
    PUBLIC = "a public address"
    PRIVATE = "a private or reserved address"
    TRANSLATED = "an IPv4 address behind a translator"
    LOOPBACK = "a loopback address"
    LINK_LOCAL = "a link-local address"
    METADATA = "the address of a cloud's metadata service"
    UNUSABLE = "an address that no receiver can have"


# Only an entry that lies wholly within the block opens these: 0.0.0.0/0 does not mean the loopback
_NAMED_ONLY = (Kind.LOOPBACK, Kind.LINK_LOCAL, Kind.METADATA)

# IANA's special-purpose registries and the clouds' own addresses. The first block that holds an address decides.
_BLOCKS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (
        Kind.METADATA,
        (
            *("169.254.169.254", "169.254.169.253", "169.254.169.123", "169.254.170.2", "169.254.170.23"),
            *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
            *("fd00:ec2::254", "fd00:ec2::23", "fd00:ec2::253", "fd20:ce::254"),
        ),
    ),
    # "This network", multicast, broadcast; IPv6 that hides an IPv4 address: mapped, compatible, SIIT, Teredo, 6to4
    (Kind.UNUSABLE, ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::/128", "ff00::/8")),
    (Kind.LOOPBACK, ("127.0.0.0/8", "::1")),
    (Kind.UNUSABLE, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "2001::/32", "2002::/16")),
    (Kind.LINK_LOCAL, ("169.254.0.0/16", "fe80::/10")),
    (Kind.TRANSLATED, ("64:ff9b::/96", "64:ff9b:1::/48")),
    (
        Kind.PRIVATE,
        (
            *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "192.0.0.0/24", "192.0.2.0/24"),
            *("192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "3fff::/20"),
        ),
    ),
    (Kind.PUBLIC, ("0.0.0.0/0", "2000::/3")),
    (Kind.PRIVATE, ("::/0",)),
)
BLOCKS = tuple((ipaddress.ip_network(text), kind) for kind, texts in _BLOCKS for text in texts)


def kind_of(address: IPAddress) -> Kind:
    return _block_of(address)[1]


def _block_of(address: IPAddress) -> tuple[IPNetwork, Kind]:
    return next((network, kind) for network, kind in BLOCKS if address in network)


def _within(inner: IPNetwork, outer: IPNetwork) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One word of the allow-list. ``name`` is a host, or a suffix when it starts with a dot; port None is any."""

    name: str = ""
    network: IPNetwork | None = None
    port: int | None = None

    def names(self, host: str, port: int) -> bool:
        matches = host.endswith(self.name) if self.name.startswith(".") else host == self.name
        return bool(self.name) and matches and self.port in (None, port)

    def covers(self, address: IPAddress, port: int) -> bool:
        if self.network is None or address not in self.network or self.port not in (None, port):
            return False
        block, kind = _block_of(address)
        return kind is not Kind.UNUSABLE and (kind not in _NAMED_ONLY or _within(self.network, block))


@dataclass(frozen=True)
class Allowance:
    """The operator's allow-list of internal receivers: networks, addresses and host names, each with a port or any.

    A listed name may resolve to private addresses. Loopback, link-local and metadata addresses have to be listed
    themselves; for the loopback, listing ``localhost`` is enough.
    """

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Allowance":
        """Raises ValueError with a sentence that names the wrong word."""
        return cls(tuple(_entry(word) for word in words))

    def names(self, host: str, port: int) -> bool:
        return any(entry.names(host, port) for entry in self.entries)

    def covers(self, address: IPAddress, port: int) -> bool:
        if not any(entry.covers(address, port) for entry in self.entries):
            return False
        if kind_of(address) is not Kind.TRANSLATED:
            return True
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return kind_of(inner) is Kind.PUBLIC or self.covers(inner, port)

    def permits(self, address: IPAddress, *, host: str, port: int) -> bool:
        kind = kind_of(address)
        if kind is Kind.PUBLIC or self.covers(address, port):
            return True
        opened = (Kind.PRIVATE, Kind.LOOPBACK) if _is_localhost(host) else (Kind.PRIVATE,)
        return kind in opened and self.names(host, port)

    def may_list(self, target: "Target") -> bool:
        """True where the target is listed, or where only resolving its name can tell."""
        if self.names(target.host, target.port):
            return True
        if target.address is not None:
            return self.covers(target.address, target.port)
        return any(entry.network is not None and entry.port in (None, target.port) for entry in self.entries)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL taken apart: ASCII host in lower case without brackets; path with its query, no fragment."""

    scheme: str
    host: str
    port: int
    path: str
    address: IPAddress | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def parse_url(url: str) -> Target:
    """The grammar alone. Raises UrlRefused."""
    if len(url) > MAX_URL_LENGTH:
        raise UrlRefused(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if "\\" in url or any(unicodedata.category(character)[0] in "CZ" for character in url):
        raise UrlRefused("The URL contains a space, a backslash, or a character that cannot be seen.")
    parts = _URL.fullmatch(url)
    if not parts:
        raise UrlRefused("The URL must start with https:// in small letters.")
    scheme, authority, path = parts[1], parts[2], parts[3] or "/"
    if "@" in authority:
        raise UrlRefused("The URL must not contain a user name or password. Send credentials in a header.")
    named = _AUTHORITY.fullmatch(authority)
    if not named:
        raise UrlRefused("The URL has no host name, or a malformed one.")
    port = int(named[2]) if named[2] else DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise UrlRefused("The port must be from 1 to 65535.")
    host, address = _host(named[1])
    path = path if path.startswith("/") else f"/{path}"
    return Target(scheme=scheme, host=host, port=port, path=path, address=address)


def check_url(url: str, *, allow: Allowance) -> Target:
    """Everything about a URL that can be known without resolving its name. Raises UrlRefused."""
    target = parse_url(url)
    if not allow.may_list(target):
        _check_unlisted(target)
    address = ipaddress.ip_address("127.0.0.1") if _is_localhost(target.host) else target.address
    if address and not allow.permits(address, host=target.host, port=target.port):
        raise UrlRefused(f"{target.host} is {kind_of(address)}. {ASK}")
    return target


def check_addresses(target: Target, addresses: Iterable[IPAddress], *, allow: Allowance) -> None:
    """The answer of the name service, every address of it. Raises AddressRefused, or UrlRefused for scheme and port."""
    found = tuple(addresses)
    for address in found:
        if not allow.permits(address, host=target.host, port=target.port):
            raise AddressRefused(f"{target.host} resolves to {kind_of(address)}. {ASK}")
    if not is_listed(target, found, allow=allow):
        _check_unlisted(target)


def is_listed(target: Target, addresses: Iterable[IPAddress], *, allow: Allowance) -> bool:
    named = allow.names(target.host, target.port)
    return named or all(allow.covers(address, target.port) for address in addresses)


def _check_unlisted(target: Target) -> None:
    if target.scheme != "https":
        raise UrlRefused(f"The URL must start with https://. Plain http:// is for internal hosts only. {ASK}")
    if target.port < 1024 and target.port not in DEFAULT_PORTS.values():
        raise UrlRefused(f"Port {target.port} is not open: use 443, 80, or 1024 and above. {ASK}")


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _host(text: str) -> tuple[str, IPAddress | None]:
    """Raises UrlRefused. An IPv4 address has one spelling only: what others read as 127.0.0.1 is not a name."""
    if text.startswith("["):
        address = _ipv6(text[1:-1])
        return str(address), address
    host = _ascii(text)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return host, _ipv4(host)
    if len(host) > MAX_HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused(MALFORMED_HOST)
    return host, None


def _ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    labels = text.lower().split(".")
    if any(len(label) > MAX_LABEL_LENGTH for label in labels):  # idna takes its time over those
        raise UrlRefused(MALFORMED_HOST)
    try:
        # IDNA 2008 without mapping: full-width digits and dots are errors, not other spellings of an address
        return ".".join(idna.alabel(label).decode() for label in labels)
    except (idna.IDNAError, UnicodeError):
        raise UrlRefused("The host name contains characters that a host name cannot have.") from None


def _ipv4(text: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        raise UrlRefused("An IPv4 address is written as four decimal numbers without leading zeros.") from None


def _ipv6(text: str) -> ipaddress.IPv6Address:
    try:
        if "%" in text:
            raise ValueError("zone")
        return ipaddress.IPv6Address(text)
    except ValueError:
        raise UrlRefused("Brackets hold an IPv6 address without a zone.") from None


def _entry(word: str) -> Entry:
    bracketed = re.fullmatch(r"\[([^\[\]%]+)\](?::([0-9]{1,5}))?", word)
    plain = re.fullmatch(r"([^:\[\]]+)(?::([0-9]{1,5}))?", word)
    parts = bracketed or plain
    if not parts:
        raise ValueError(f"{word!r} is no network, address or host name; IPv6 is written in brackets.")
    port = int(parts[2]) if parts[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{word!r} has a port that is not from 1 to 65535.")
    try:
        if bracketed:
            return Entry(network=ipaddress.IPv6Network(parts[1]), port=port)
        if "/" in parts[1]:
            return Entry(network=ipaddress.IPv4Network(parts[1]), port=port)
        host, address = _host(parts[1].removeprefix("."))
        dot = "." if parts[1].startswith(".") else ""
    except ValueError as error:
        raise ValueError(f"{word!r} is no network, address or host name: {error}") from None
    if address is None:
        return Entry(name=dot + host, port=port)
    return Entry(network=ipaddress.ip_network(address), port=port)
