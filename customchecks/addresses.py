"""The shape of URLs and branches that users give. Where a name leads is looked at when it is connected to."""

import ipaddress
import re
import unicodedata
from collections.abc import Collection
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

MAX_URL = 500
MAX_BRANCH = 100
USUAL_PORTS = frozenset({443, 8443})

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_ESCAPED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".localdomain")
_BRANCH_REFUSED = re.compile(
    r"""[\x00-\x20\x7f~^:?*\[\\]   # control, space and what revisions are made of
    | \.\. | @\{ | // | ^[-+/.] | /\. | [/.]$ | \.lock(?:/|$)""",
    re.VERBOSE,
)


def check_url(value: object, *, allow: Collection[str] = (), plain_http: bool = False) -> None:
    """Raises ValidationError. ``allow`` names hosts and networks of the operator: there any port and an address
    are fine, and with ``plain_http`` so is http. Where networks are allowed, a local name may lead into one.
    """
    url = _checked_text(value)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise ValidationError("The URL starts with https:// in small letters.", code="url_scheme")
    host, port = _authority(re.split(r"[/?#]", rest, maxsplit=1)[0])
    allowed = is_allowed(host, allow)
    if scheme == "http" and not (allowed and plain_http):
        raise ValidationError(
            "The URL starts with https://; http is only for hosts that the operator allows.", code="url_scheme"
        )
    if not allowed:
        _check_is_name(host)
        if not any(map(_network, allow)):
            _check_public(host, port)


def check_git_url(value: object, *, allow: Collection[str] = ()) -> None:
    check_url(value, allow=allow)
    parts = urlsplit(str(value))
    if parts.query or "?" in str(value):
        raise ValidationError("A repository's URL has no query.", code="url_query")
    if not parts.path.strip("/"):
        raise ValidationError("The URL lacks the path of the repository.", code="url_path")


def check_branch(value: object) -> None:
    """What ``git check-ref-format`` takes, without a leading + or -, and without invisible characters."""
    if not isinstance(value, str) or not value:
        raise ValidationError("Give the name of a branch, such as main.", code="branch")
    if len(value) > MAX_BRANCH:
        raise ValidationError(f"A branch has at most {MAX_BRANCH} characters.", code="branch_length")
    if _BRANCH_REFUSED.search(value) or value in ("@", "HEAD") or not visible(value):
        raise ValidationError(f"{value!r:.80} cannot be the name of a branch.", code="branch")


def is_allowed(host: str, allow: Collection[str]) -> bool:
    """``allow`` holds host names, addresses and networks; ``host`` is in small letters, IPv6 without brackets."""
    if host in {entry.lower() for entry in allow}:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in map(_network, allow) if network is not None)


def visible(text: str) -> bool:
    """No control, formatting (right-to-left, zero-width) or separator characters, no lone surrogates."""
    return all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)


def _checked_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValidationError("Give a URL that starts with https://.", code="url")
    if len(value) > MAX_URL:
        raise ValidationError(f"A URL has at most {MAX_URL} characters.", code="url_length")
    if not _URL.fullmatch(value) or _ESCAPED_CONTROL.search(value):
        raise ValidationError(
            "The URL has a character that a URL cannot hold; write international names in their xn-- form."
            " Templates belong in webhook_query_params.",
            code="url_character",
        )
    if "secret_ref:" in value:
        raise ValidationError(
            "A secret does not belong in a URL, which is shown and logged: use a header or a query parameter.",
            code="url_secret",
        )
    if "#" in value:
        raise ValidationError("The URL has a #fragment, which is never sent. Leave it out.", code="url_fragment")
    return value


def _authority(text: str) -> tuple[str, int]:
    if "@" in text:
        raise ValidationError("The URL has a user name or password: use a secret instead.", code="url_userinfo")
    match = _AUTHORITY.fullmatch(text.lower())
    if not match or int(match[2] or 443) > 65535:
        raise ValidationError("The URL's host or port cannot be read.", code="url_host")
    host = match[1].strip("[]")
    if not _is_plain_address(host, bracketed=match[1].startswith("[")) and not _is_host_name(host):
        raise ValidationError("The URL's host is not a host name.", code="url_host")
    return host, int(match[2] or 443)


def _is_plain_address(host: str, *, bracketed: bool) -> bool:
    """An address in the one spelling that every program reads alike: not 127.1, 0x7f000001 or ::0001."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return str(address) == host and bracketed == (address.version == 6)


def _is_host_name(host: str) -> bool:
    return len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None


def _check_is_name(host: str) -> None:
    if not _is_host_name(host):
        raise ValidationError("The URL has an address for a host: use a host name.", code="url_address")


def _check_public(host: str, port: int) -> None:
    if "." not in host or host.endswith(_LOCAL_SUFFIXES):
        raise ValidationError(
            f"{host:.80} is a local name. Only public hosts, and hosts that the operator allows, are called.",
            code="url_local",
        )
    if port not in USUAL_PORTS:
        raise ValidationError("The URL's port is not 443 or 8443.", code="url_port")


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
