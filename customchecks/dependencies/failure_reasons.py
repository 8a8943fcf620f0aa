"""Why an installation failed, told from the installer's log, with what to do about it."""

import re

from customchecks.dependencies import reachability
from customchecks.installers import package_managers

MAX_CHARACTERS = 400

_ERROR = re.compile(r"error:|npm err(?:or|!)|ERR!|[×✗]", re.IGNORECASE)
_UNREACHED = re.compile(
    r"error sending request|failed to fetch|could not connect|connection refused|dns error"
    r"|\b(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH)\b",
    re.IGNORECASE,
)
_UNTRUSTED = re.compile(
    r"certificate|unknownissuer|self.?signed|UNABLE_TO_(?:GET_ISSUER|VERIFY)|\bCERT_[A-Z_]+\b", re.IGNORECASE
)
_TO_BUILD = re.compile(r"no usable wheels|building from source is disabled|--no-build|--only-binary", re.IGNORECASE)
_FORBIDDEN = re.compile(r"\b(?:401|403) (?:Unauthorized|Forbidden)|\bE40[13]\b", re.IGNORECASE)
_HOST = re.compile(r"\bhttps?://(?:[^\s/@`'\"]*@)?([A-Za-z0-9.-]{1,253})|\bpackage index ([A-Za-z0-9.-]{1,253})")

_INDEX = "Where no public index can be reached, set TECKO_PIP_INDEX_URL or TECKO_NPM_REGISTRY."
_TRUST = "Where the index has a certificate of your own authority, name that in TECKO_CA_BUNDLE."
_BUILD = (
    "A package has no wheel: name a version that has one, or set allow_source_builds (--source-builds) for the job."
)
_ACCESS = "The index wants another user and password: they stand in TECKO_PIP_INDEX_URL or TECKO_NPM_REGISTRY."


def told(log: str) -> str:
    """The essence of it, and the remedy."""
    return " ".join(filter(None, (essence(log), remedy(log))))


def remedy(log: str) -> str:
    if _UNTRUSTED.search(log):
        return _TRUST
    if _TO_BUILD.search(log):
        return _BUILD
    if _FORBIDDEN.search(log):
        return _ACCESS
    if not _UNREACHED.search(log):
        return ""
    hosts = [host for found in _HOST.findall(log) for host in found if host and host != "127.0.0.1"]
    found = reachability.obstacle([*hosts, *package_managers.index_hosts()])
    return f"{found.problem} {found.remedy}" if found else _INDEX


def essence(log: str) -> str:
    """From the installer's first error on; where it names none, its last whole lines."""
    lines = [" ".join(line.split()) for line in log.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if _ERROR.match(line)), None)
    if first is None:
        while len(lines) > 1 and len(" ".join(lines)) > MAX_CHARACTERS:
            lines.pop(0)
    said = " ".join(lines[first:])
    return said if len(said) <= MAX_CHARACTERS else f"{said[:MAX_CHARACTERS].rpartition(' ')[0]} …"
