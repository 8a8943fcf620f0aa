"""Which addresses a package index has, asked from a real one on loopback."""

import sys
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from customchecks.manifests import public_indexes
from teckochecker.setup import indexes


def test_only_addresses_outside_the_public_ranges_are_exceptions() -> None:
    addresses = ["203.0.113.5", "10.0.0.7", "8.8.8.8", "10.0.0.7"]
    assert indexes.non_global(addresses) == ["10.0.0.7", "203.0.113.5"]


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://files.example.com/x.whl#sha256=1", "https://files.example.com/x.whl"),
        ("../../files/x.whl", "http://{host}/files/x.whl"),
    ],
)
def test_the_host_of_the_files_is_read_from_a_page(httpserver: HTTPServer, link: str, expected: str) -> None:
    page = f'<html><body><a data-x="1" href="{link}">x.whl</a></body></html>'
    httpserver.expect_request("/simple/iniconfig/").respond_with_data(page, content_type="text/html")
    host = f"{httpserver.host}:{httpserver.port}"
    assert indexes.file_address(httpserver.url_for("/simple/")) == expected.format(host=host)


@pytest.mark.parametrize("page", ["", "<html>no link</html>"])
def test_a_page_without_links_tells_nothing(httpserver: HTTPServer, page: str) -> None:
    httpserver.expect_request("/simple/iniconfig/").respond_with_data(page)
    assert indexes.file_address(httpserver.url_for("/simple")) == ""


@pytest.mark.parametrize("index", ["", "file:///simple", "http://127.0.0.1:1/simple"])
def test_an_index_that_cannot_be_asked_tells_nothing(index: str) -> None:
    assert indexes.file_address(index) == ""


@pytest.mark.usefixtures("processes")
def test_without_npm_the_registry_of_the_images_npm_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert indexes.npm_registry(Path(sys.executable)) == public_indexes.NPM_REGISTRY


def test_an_index_on_loopback_is_an_exception(httpserver: HTTPServer, tmp_path: Path) -> None:
    environ = {"TECKO_PIP_INDEX_URL": httpserver.url_for("/simple"), "TECKO_NPM_REGISTRY": "http://127.0.0.1:4873"}
    assert indexes.private_addresses(tmp_path / "no-python", environ) == ["127.0.0.1"]
