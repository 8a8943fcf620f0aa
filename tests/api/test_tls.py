"""TLS ends at a proxy in front: nobody goes in a circle, and what watches the machine needs no TLS."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from secrets_app.access.models import ApiToken, Scope
from tests.api import live
from tests.api.conftest import User
from tests.polling.sweep.leases import on_duty

PUBLIC = "localhost"


@dataclass
class Proxy:
    """Ends TLS and hands on what it gets, with these headers added to each request."""

    port: int
    context: ssl.SSLContext
    behind: int = 0
    headers: tuple[str, ...] = ()

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), self.context.wrap_socket(line, server_side=True) as client:
            head = b""
            while not _is_whole(head) and (data := client.recv(65536)):
                head += data
            first, _, rest = head.partition(b"\r\n")
            added = "".join(f"{header}\r\n" for header in (*self.headers, "Connection: close")).encode()
            with socket.create_connection(("127.0.0.1", self.behind), timeout=30) as server:
                server.sendall(first + b"\r\n" + added + rest)
                while data := server.recv(65536):
                    client.sendall(data)


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= int(length[1] if length else 0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def proxy(authority: trustme.CA, processes: None, django_db_setup: None) -> Iterator[Proxy]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(PUBLIC).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener.getsockname()[1], context)
        url = f"https://{PUBLIC}:{proxy.port}"
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        with live.web_server(TECKO_PUBLIC_URL=url) as (proxy.behind, _):
            yield proxy


@pytest.fixture
def browser(authority: trustme.CA, proxy: Proxy, transactional_db: None, tmp_path: Path) -> Iterator[httpx.Client]:
    """Of whoever opens the public address and follows where that leads."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    trusting = ssl.create_default_context(cafile=str(bundle))
    with httpx.Client(
        verify=trusting, base_url=f"https://{PUBLIC}:{proxy.port}", follow_redirects=True, timeout=30
    ) as client:
        yield client


@pytest.fixture
def direct(proxy: Proxy, transactional_db: None) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxy.behind}") as client:
        yield client


FORWARDED = [
    (),
    ("X-Forwarded-For: 192.0.2.7",),
    ("X-Forwarded-Proto: https",),
    ("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.7"),
]


@pytest.mark.parametrize("headers", FORWARDED)
def test_no_header_that_is_missing_sends_a_browser_in_a_circle(
    browser: httpx.Client, proxy: Proxy, headers: tuple[str, ...]
) -> None:
    proxy.headers = headers
    answer = browser.get("/admin/login/")
    assert (answer.status_code, answer.history, "csrfmiddlewaretoken" in answer.text) == (200, [], True)


@pytest.mark.parametrize("headers", FORWARDED)
def test_a_browser_logs_in_whatever_the_proxy_sends(
    browser: httpx.Client, proxy: Proxy, headers: tuple[str, ...]
) -> None:
    proxy.headers = headers
    page = browser.get("/admin/login/")
    form = {"username": "nobody", "password": "x", "csrfmiddlewaretoken": page.cookies["csrftoken"]}
    answer = browser.post("/admin/login/", data=form, headers={"Origin": f"https://{PUBLIC}:{proxy.port}"})
    assert (answer.status_code, "Please enter the correct" in answer.text) == (200, True)


def test_who_came_by_plain_http_is_sent_to_the_public_address(browser: httpx.Client, proxy: Proxy) -> None:
    proxy.headers = ("X-Forwarded-Proto: http",)
    answer = browser.get("/admin/?a=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{PUBLIC}:{proxy.port}/admin/?a=1")


def test_browsers_are_told_to_use_https_for_this_host_alone(browser: httpx.Client, proxy: Proxy) -> None:
    proxy.headers = ("X-Forwarded-Proto: https",)
    assert browser.get("/api/health").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_watches_the_machine_needs_no_tls(direct: httpx.Client) -> None:
    _, token = ApiToken.objects.create(User.objects.create_superuser("watcher"), scope=Scope.READ)
    on_duty()
    assert direct.get("/api/health").status_code == 200
    assert direct.get("/api/health", headers={"X-Forwarded-Proto": "http"}).status_code == 200
    assert direct.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/custom-checks", "/api/health", "/metrics"])
def test_a_foreign_host_is_told_which_setting_allows_it_in_json(direct: httpx.Client, path: str) -> None:
    answer = direct.get(path, headers={"Host": "tecko.elsewhere.example:8000"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == (
        "This server is not called 'tecko.elsewhere.example'. If it should be, add the name to TECKO_ALLOWED_HOSTS and "
        "restart it."
    )


def test_a_foreign_host_is_told_so_on_a_page(direct: httpx.Client) -> None:
    answer = direct.get("/admin/login/", headers={"Host": "a<script>.example"})
    assert (answer.status_code, "TECKO_ALLOWED_HOSTS" in answer.text) == (400, True)
    assert "<script>" not in answer.text
