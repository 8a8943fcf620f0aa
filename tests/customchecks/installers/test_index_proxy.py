"""The proxy to an index that wants a password: what it asks, what it lets through, and whom it tells the password."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from customchecks.installers.installer import IndexProxy

WORD = "Basic c29tZWJvZHk6aHVudGVyMg=="  # somebody:hunter2


@pytest.fixture
def index(httpserver: HTTPServer) -> HTTPServer:
    """Answers only whoever knows the password."""

    def page(request: Request) -> Response:
        if request.headers.get("Authorization") != WORD:
            return Response(status=401)
        links = f'<a href="{httpserver.url_for("/files/x-1.whl")}">x</a>'
        return Response(links, content_type="text/html")

    def file(request: Request) -> Response:
        if request.headers.get("Authorization") != WORD:
            return Response(status=401)
        return Response(b"a wheel", status=206 if "Range" in request.headers else 200)

    httpserver.expect_request("/simple/x/").respond_with_handler(page)
    httpserver.expect_request("/files/x-1.whl").respond_with_handler(file)
    httpserver.expect_request("/secret").respond_with_data("other people's")
    httpserver.expect_request("/simple/away/").respond_with_data(
        "", status=302, headers={"Location": "https://elsewhere.example/x-1.whl"}
    )
    httpserver.expect_request("/simple/slash").respond_with_data(
        "", status=301, headers={"Location": httpserver.url_for("/simple/x/")}
    )
    return httpserver


@pytest.fixture
def proxy(index: HTTPServer) -> Iterator[IndexProxy]:
    proxy = IndexProxy(index.url_for("/simple").replace("://", "://somebody:hunter2@"))
    yield proxy
    proxy.close()


def read(url: str, **headers: str) -> tuple[int, str]:
    try:
        with opener().open(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Location", "")


def opener() -> urllib.request.OpenerDirector:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    return urllib.request.build_opener(Stay)


def test_pages_and_files_come_without_a_password(proxy: IndexProxy) -> None:
    status, page = read(f"{proxy.url}/x/")
    link = page.partition('href="')[2].partition('"')[0]
    assert (status, link) == (200, f"{proxy.own}/files/x-1.whl")
    assert read(link) == (200, "a wheel")
    assert read(link, Range="bytes=0-1")[0] == 206
    assert "hunter2" not in proxy.url


def test_a_redirect_elsewhere_is_the_askers_own_affair(proxy: IndexProxy) -> None:
    assert read(f"{proxy.url}/away/") == (302, "https://elsewhere.example/x-1.whl")


def test_a_redirect_to_the_index_goes_through_the_gate(proxy: IndexProxy) -> None:
    assert read(f"{proxy.url}/slash") == (301, f"{proxy.url}/x/")


@pytest.mark.parametrize(
    "path", ["/secret", "/simple/../secret", "/simple/%2e%2e/secret", "/simplex/", "//secret", "/simple//../secret"]
)
def test_nothing_else_of_the_host_is_asked(proxy: IndexProxy, path: str) -> None:
    assert read(f"{proxy.own}{path}")[0] == 403


def test_only_reading_is_possible(proxy: IndexProxy) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener().open(urllib.request.Request(f"{proxy.url}/x/", data=b"x"))
    with refused.value as error:
        assert error.code == 501


def test_an_index_that_is_down_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    proxy = IndexProxy("http://somebody:hunter2@127.0.0.1:1/simple")
    assert read(f"{proxy.url}/x/")[0] == 502
    proxy.close()
    told = capfd.readouterr().err
    assert "refused" in told
    assert "hunter2" not in told
