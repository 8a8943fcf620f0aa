"""Charsets, paths and queries that Django itself would stumble over, against the real web server."""

import contextlib
import http.client
import json
from typing import Any

import pytest

from teckochecker.web.error_pages import LastResort
from tests.api.live import Server

CHARSETS = [
    "undefined",
    "hex",
    "zlib",
    "idna",
    "unicode_escape",
    "rot13",
    '"hex"',
    "hex; charset=zlib",
    "\xff",
    "utf-8",
]


def get(server: Server, path: str, *, charset: str = "utf-8", method: str = "GET") -> tuple[int, Any]:
    headers = {"Authorization": f"Token {server.token}", "Content-Type": f"text/plain; charset={charset}"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as call:
        call.request(method, path, headers=headers)
        response = call.getresponse()
        return response.status, json.loads(response.read())


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_changes_nothing(server: Server, charset: str) -> None:
    assert get(server, "/api/health?a=%C3%A9", charset=charset)[0] == 200


@pytest.mark.parametrize("path", ["/api/health", "/api/deliveries", "/api/custom-checks"])
def test_very_many_parameters_are_400(server: Server, path: str) -> None:
    code, said = get(server, f"{path}?" + "a&" * 1500)
    assert (code, list(said)) == (400, ["detail"])


def test_an_escaped_surrogate_finds_nothing(server: Server) -> None:
    code, said = get(server, "/api/deliveries?job_kind=%5Cud800", charset="unicode_escape")
    assert (code, said["deliveries"]) == (200, [])


def test_options_of_the_server_itself_are_400(server: Server) -> None:
    code, said = get(server, "*", method="OPTIONS")
    assert (code, list(said)) == (400, ["detail"])


def test_whatever_escapes_django_is_a_sentence() -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise RuntimeError(environ["PATH_INFO"])

    begun: list[str] = []
    body = b"".join(LastResort(broken)({"PATH_INFO": "/api"}, lambda status, headers: begun.append(status)))
    assert begun == ["500 Internal Server Error"]
    assert "RuntimeError" not in json.loads(body)["detail"]
