"""Where a repository is fetched from, and with what: one server, at addresses that were checked."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from customchecks.git.process import Config, GitFailed
from polling.http.addresses import IPAddress, Target
from polling.http.client import GuardedClient
from polling.http.exchanges import ExchangeFailed, RequestRefused

_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository as a job names it. ``credential`` names where ``token`` comes from and is never the token itself."""

    url: str
    token: str = field(default="", repr=False)
    credential: str = ""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.url}\n{self.credential}".encode()).hexdigest()[:32]


class Connection(NamedTuple):
    """What Git is told. ``url`` is the checked one, in the form that libcurl compares with the pinned host."""

    url: str
    config: Config


def connect(remote: Remote, *, guard: GuardedClient, ca_bundle: str) -> Connection:
    """Raises GitFailed where it may not be asked."""
    try:
        target, addresses = guard.check(remote.url)
    except (RequestRefused, ExchangeFailed) as error:
        raise GitFailed(str(error)) from None
    if target.scheme != "https":
        raise GitFailed("A repository's URL starts with https://.")
    config = [("http.curloptResolve", _pinned(target, addresses))]
    if ca_bundle:
        config.append(("http.sslCAInfo", ca_bundle))
    if remote.token:
        config.append((f"http.{_origin(target)}.extraHeader", _authorization(remote.token)))
    return Connection(target.url, config)


def _pinned(target: Target, addresses: Iterable[IPAddress]) -> str:
    """The form of libcurl's CURLOPT_RESOLVE."""
    shown = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}:{shown}"


def _origin(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"https://{host}:{target.port}/"


def _authorization(token: str) -> str:
    """A secret is a token, or ``user:token`` for a server that looks at the user."""
    if not _TOKEN.fullmatch(token):
        raise GitFailed("The secret of script_git_token is not a token: it has spaces or other odd characters.")
    pair = token if ":" in token else f"x-access-token:{token}"
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"
