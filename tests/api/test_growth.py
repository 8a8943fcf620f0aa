"""Twice as large a request costs twice the time to read, whoever sends it."""

from collections.abc import Callable

import pytest
from django.core.exceptions import BadRequest, SuspiciousOperation, ValidationError
from django.http import QueryDict
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from customchecks.jobs import selection
from teckochecker.access import auditing, throttles
from teckochecker.access.authentication import TokenLogin
from teckochecker.api.browsable import Negotiation, Pages
from teckochecker.web import error_pages
from tests.growth import grows_linearly

KB = 1024
HEAD = 64 * KB  # of a request, at most
REFUSALS = (ValidationError, SuspiciousOperation, BadRequest, MultiPartParserError, exceptions.APIException)


def of(unit: str, *, before: str = "") -> Callable[[int], str]:
    return lambda size: before + unit * (size // len(unit))


@pytest.mark.parametrize("unit", ["a/b,", ",", "a/b;q=1,", ";", '";', "*/*,", "text/html;a=b;", " "])
def test_what_a_caller_accepts(unit: str) -> None:
    def read(value: str) -> None:
        request = Request(RequestFactory().get("/api/custom-checks", HTTP_ACCEPT=value))
        Negotiation().select_renderer(request, [JSONRenderer(), Pages()])

    grows_linearly(read, of(unit), size=8 * KB, refusals=REFUSALS)


@pytest.mark.parametrize("unit", [";", '";', ';charset="', "; ", ";charset=", "a=b;", " "])
def test_the_type_of_a_body(unit: str) -> None:
    grows_linearly(lambda value: error_pages.CHARSET.sub("", value), of(unit, before="text/plain"), size=HEAD)


@pytest.mark.parametrize("unit", ["a=b;", ";", 'a="', "=;", "\\", " "])
def test_cookies(unit: str) -> None:
    grows_linearly(lambda value: RequestFactory().get("/", HTTP_COOKIE=value).COOKIES, of(unit), size=HEAD)


@pytest.mark.parametrize("unit", ["a=b&", "&", "%41", "+", "a"])
def test_queries(unit: str) -> None:
    grows_linearly(QueryDict, of(unit), size=HEAD, refusals=REFUSALS)


@pytest.mark.parametrize("unit", [",", "1,", " ", "a"])
def test_forwarded_addresses(unit: str, settings: object) -> None:
    settings.TECKO_PROXIES = 1  # type: ignore[attr-defined]
    grows_linearly(
        lambda value: throttles.network(RequestFactory().get("/", HTTP_X_FORWARDED_FOR=value)), of(unit), size=HEAD
    )


@pytest.mark.django_db
@pytest.mark.parametrize("unit", ["a", " ", "é", "tck_"])
def test_tokens(unit: str) -> None:
    def read(value: str) -> None:
        TokenLogin().authenticate(Request(RequestFactory().get("/", HTTP_AUTHORIZATION=value)))

    grows_linearly(read, of(unit, before="Token tck_"), size=HEAD, refusals=REFUSALS)


@pytest.mark.parametrize("unit", ["0", "2026-", " ", "T00:00", "+"])
def test_times(unit: str) -> None:
    grows_linearly(lambda value: selection.time("since", value), of(unit), size=HEAD, refusals=REFUSALS)


@pytest.mark.parametrize("unit", ["a.", "a-", ".", "secret_ref:a"])
def test_what_the_audit_shows(unit: str) -> None:
    grows_linearly(lambda value: auditing.masked(f'{{"a": "{value}"}}'), of(unit, before="secret_ref:"), size=512 * KB)


PART = '--frontier\r\nContent-Disposition: form-data; name="a"'
PARTS = {"field": PART, "file": f'{PART}; filename="x"', "base64": f"{PART}\r\nContent-Transfer-Encoding: base64"}


@pytest.mark.parametrize("unit", ["\r\n--frontie", "--", "\r\n", f"{PART}\r\n\r\nx\r\n", "--frontier\r\n", "A: b\r\n"])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_forms(part: str, unit: str) -> None:
    def read(body: str) -> None:
        content = "multipart/form-data; boundary=frontier"
        assert RequestFactory().generic("POST", "/", body.encode(), content_type=content).POST is not None

    grows_linearly(read, of(unit, before=f"{part}\r\n\r\n"), size=1024 * KB, refusals=REFUSALS)
