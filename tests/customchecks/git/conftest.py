import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from customchecks.git.connection import Remote
from customchecks.git.process import GitLimits
from customchecks.git.repositories import Repositories
from polling.http.client import GuardedClient
from tests.customchecks.git.server import GitServer, Origin
from tests.polling.http.guarded import LOOPBACK, to


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("git.example.com", "other.example.com", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def origin(served: Path) -> Origin:
    return Origin(served)


@pytest.fixture
def server(served: Path, tls: ssl.SSLContext) -> Iterator[GitServer]:
    server = GitServer(served, tls)
    yield server
    server.stop()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "git"


@pytest.fixture
def make_repositories(cache: Path, ca_bundle: str) -> Callable[..., Repositories]:
    """The loopback listed, and a name service that knows nothing else."""

    def make(*, limits: GitLimits | None = None, **options: Any) -> Repositories:
        guard = GuardedClient(**{"allow": LOOPBACK, "deadline": 2, "resolve": to("127.0.0.1"), **options})
        return Repositories(folder=cache, guard=guard, ca_bundle=ca_bundle, limits=limits)

    return make


@pytest.fixture
def repositories(make_repositories: Callable[..., Repositories]) -> Repositories:
    return make_repositories()


@pytest.fixture
def remote(server: GitServer) -> Remote:
    return Remote(url=server.url())
