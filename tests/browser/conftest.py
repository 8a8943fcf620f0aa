"""Chromium in front of the real web server."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client, override_settings
from playwright.sync_api import ConsoleMessage, Page, Request, sync_playwright

from teckochecker import settings as product
from teckochecker.management.commands.prepare import collect_static
from tests.api import live
from tests.api.conftest import PASSWORD

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SIZE = {"width": 1200, "height": 900}
PICTURES = settings.TECKO_HOME / "screenshots"


@dataclass
class Window:
    """``page``, whom it asked for anything, what it was kept from asking for, and its complaints of other things."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("requestfinished", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("requestfailed", self._failed)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(exist_ok=True)
        assert len(self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)) > 10_000

    def _failed(self, request: Request) -> None:
        """Whatever the policy of the page forbids was not sent."""
        (self.refused if request.failure == "csp" else self.hosts).add(urlsplit(request.url).netloc)

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def web_server(processes: None, django_db_setup: None) -> Iterator[tuple[int, tuple[int, ...]]]:
    with override_settings(STATIC_ROOT=product.STATIC_ROOT, STORAGES=product.STORAGES):
        collect_static(product.STATIC_ROOT)
    with live.web_server() as server:
        yield server


@pytest.fixture
def window(web_server: tuple[int, tuple[int, ...]], transactional_db: None) -> Callable[..., Any]:
    """A context: Django's ORM cannot be used inside of it, because Playwright runs an event loop."""
    user = User.objects.create_superuser("boss")
    hasher = PBKDF2PasswordHasher()  # the server does not know the hash of the tests
    user.password = hasher.encode(PASSWORD, hasher.salt())
    user.save()
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    origin = f"http://127.0.0.1:{web_server[0]}"

    @contextlib.contextmanager
    def opened(path: str, *, with_password: bool = False) -> Iterator[Window]:
        known = {"username": user.username, "password": PASSWORD} if with_password else None
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
            context = chromium.new_context(base_url=origin, viewport=SIZE, http_credentials=known)
            if not with_password:
                context.add_cookies([{**cookie, "url": origin}])
            shown = Window(context.new_page())
            shown.watch()
            shown.page.goto(path)
            yield shown
            assert shown.hosts - {""} == {urlsplit(origin).netloc}  # data: has no host
            assert shown.complaints == []
            chromium.close()

    return opened
