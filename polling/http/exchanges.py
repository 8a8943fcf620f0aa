"""What comes of one HTTP exchange, and who makes it: whoever only names these does not load the client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class RequestRefused(Exception):
    """Our own guard said no before any byte left. The message is safe to show.

    ``permanent`` is False where the same call may be allowed later without anybody's doing: a name that resolves to
    a private address now may resolve to a public one then.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class ExchangeFailed(Exception):
    """No whole answer came: network, TLS, time. Worth another try.

    ``sent`` is False where the receiver surely has nothing of the request. The message is safe to show, and no cause is
    chained: those of the libraries quote the URL with its query.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Header names are case-insensitive. The body is as it was sent, still compressed if the receiver insisted;
    ``cut`` where there was more of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool
    elapsed_ms: int


class Client(Protocol):
    """As ``polling.http.client.GuardedClient``."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Raises RequestRefused or ExchangeFailed; every status code is an Answer, a redirect too."""
