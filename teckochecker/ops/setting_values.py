"""What the words of a setting must look like. Each raises ``ValueError`` for what cannot be used."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

import environ

LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*", re.IGNORECASE)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
HSTS = ("off", "host", "subdomains", "preload")
SMALLEST_SUBNET = 64  # the engine's gateway, 50 checks at a time, and installs
DATABASES = ("sqlite", "postgres", "postgresql")


def log_level(raw: str) -> str:
    return raw.upper() if raw.upper() in LOG_LEVELS else _refuse(raw)


def hsts(raw: str) -> str:
    return raw.lower() if raw.lower() in HSTS else _refuse(raw)


def host(raw: str) -> str:
    """A name, or an IPv4 or IPv6 address without brackets."""
    if ":" in raw:
        return str(ipaddress.IPv6Address(raw)) if "%" not in raw else _refuse(raw)
    if raw.rpartition(".")[2].isdigit():
        return str(ipaddress.IPv4Address(raw))
    return raw if HOST_NAME.fullmatch(raw) else _refuse(raw)


def in_brackets(address: str) -> str:
    """As URLs and ``Host`` headers name it."""
    return f"[{address}]" if ":" in address else address


def host_patterns(raw: str) -> list[str]:
    return [_host_pattern(word) for word in raw.replace(",", " ").split()]


def _host_pattern(word: str) -> str:
    if word == "*":
        return word
    if word.startswith("[") and word.endswith("]"):
        return in_brackets(str(ipaddress.IPv6Address(word[1:-1])))
    dot = "." if word.startswith(".") else ""
    return dot + in_brackets(host(word.removeprefix(".")))


def subnet(raw: str) -> str:
    network = ipaddress.IPv4Network(raw)
    return str(network) if network.num_addresses >= SMALLEST_SUBNET else _refuse(raw)


def web_url(raw: str) -> str:
    """``http://`` or ``https://`` and a host, with whatever follows."""
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or re.search(r"\s", raw):
        raise ValueError(raw)
    host(parts.hostname or "")
    return raw if parts.port != 0 else _refuse(raw)


def web_origin(raw: str) -> str:
    """The same without a path."""
    origin = web_url(raw).removesuffix("/")
    parts = urlsplit(origin)
    return origin if (parts.path, parts.query, parts.fragment, parts.username) == ("", "", "", None) else _refuse(raw)


def database(raw: str) -> dict[str, Any]:
    """Django's settings of it."""
    scheme, separator, rest = raw.partition("://")
    if scheme not in DATABASES or not separator or not rest.strip("/"):
        raise ValueError(raw)
    return dict(environ.Env.db_url_config(raw))


def yes_or_no(raw: str) -> bool:
    if raw.lower() not in ("yes", "no"):
        raise ValueError(raw)
    return raw.lower() == "yes"


def _refuse(raw: str) -> str:
    raise ValueError(raw)
