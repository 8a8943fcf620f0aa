"""Twice as much of what people write for calls, and of what receivers answer, costs twice the time to read."""

import contextlib
import http.client
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from polling.channels.keboola import job_number
from polling.http import addresses
from polling.http.responses import json_object
from polling.openai import batches
from polling.outbox import retries, signatures, templates, webhook_fields
from tests.growth import grows_linearly

KB = 1024
Text = Callable[[int], str]


def of(unit: str, *, before: str = "", after: str = "") -> Text:
    return lambda size: before + unit * (size // len(unit)) + after


@pytest.mark.parametrize("unit", ["{", "}", "{job_id}", "{a.", "{data", ".a", "{data.a.a.a.a.a.a.a.a.a.a"])
@pytest.mark.parametrize("size", [templates.MAX_TEMPLATE, 1024 * KB])
def test_templates(unit: str, size: int) -> None:
    grows_linearly(templates.check, of(unit), size=size, refusals=(templates.TemplateError,))


def test_what_a_template_makes_of_much_data() -> None:
    def payload(size: int) -> dict[str, Any]:
        return {"data": {"a": ["x" * 10] * (size // 14)}}

    grows_linearly(lambda given: templates.render("{data}" * 20, given), payload, size=64 * KB)


HOSTS = ["a", "a.", "é", "ü.", "\u0660", "\u0300\u0327", "\u0915\u094d\u200d", ":", "[", "@", "1.", "0x", "xn--", "%2"]


@pytest.mark.parametrize("unit", HOSTS)
@pytest.mark.parametrize("size", [480, 1024 * KB])
def test_urls(unit: str, size: int) -> None:
    grows_linearly(addresses.parse_url, of(unit, before="https://"), size=size, refusals=(addresses.UrlRefused,))


def test_a_label_that_no_host_has_is_not_encoded() -> None:
    """It would be checked sign by sign, and each looks at all of the others."""

    def read(url: str) -> None:
        for _ in range(40):
            with contextlib.suppress(addresses.UrlRefused):
                addresses.parse_url(url)

    grows_linearly(read, of("\u0660", before="https://"), size=250)


ENTRIES: dict[str, Callable[[str], dict[str, str]]] = {
    "name": lambda text: {text: "a"},
    "value": lambda text: {"a": text},
    "many": lambda text: {f"a{number}": text[:10] for number in range(len(text) // 20)},
}


@pytest.mark.parametrize("unit", ["a", " ", "proxy-", "{", "{job_id}", "\xa0", "secret_ref:", "secret_ref:a", "a-."])
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("check", [webhook_fields.webhook_headers, webhook_fields.webhook_query_params])
def test_headers_and_query_parameters(
    check: Callable[[object], None], entry: Callable[[str], dict[str, str]], unit: str
) -> None:
    grows_linearly(check, lambda size: entry(of(unit)(size)), size=512 * KB, refusals=(ValidationError,))


@pytest.mark.parametrize("unit", ["a", "_", "batch_", " "])
def test_batch_ids(unit: str) -> None:
    grows_linearly(
        batches.check_ids, lambda size: ["batch_" + of(unit)(size)], size=512 * KB, refusals=(ValidationError,)
    )


@pytest.mark.parametrize("unit", ["A", "=", "whsec_", " "])
def test_signing_keys(unit: str) -> None:
    def read(key: str) -> None:
        signatures.sign(b"", message_id="1", at=timezone.now(), keys=[key])

    grows_linearly(read, of(unit, before="whsec_"), size=64 * KB, refusals=(signatures.BadKey,))


@pytest.mark.parametrize("unit", ["9", " ", "(", "\\", "1:", "Mon, ", "-", "+0", ", ", "a"])
def test_when_a_receiver_wants_the_next_call(unit: str) -> None:
    grows_linearly(
        lambda value: retries.retry_after({"Retry-After": value}, now=timezone.now()), of(unit), size=512 * KB
    )


@pytest.mark.parametrize("unit", ["[", '{"a":', "9", '"\\', '"a",', " "])
def test_what_services_answer(unit: str) -> None:
    grows_linearly(lambda body: json_object(body.encode()), of(unit), size=512 * KB)


def test_an_answer_that_is_nested_without_end_is_no_answer() -> None:
    assert json_object(b"[" * 60_000) == json_object('{"a":' * 60_000) == {}
    assert job_number("[" * 60_000) == ""


@pytest.mark.parametrize("unit", ["a: b\r\n", "a:\r\n b\r\n", " b\r\n", ":\r\n"])
def test_the_head_of_an_answer(unit: str) -> None:
    def read(head: str) -> None:
        http.client.parse_headers(io.BytesIO(head.encode()))

    grows_linearly(read, of(unit, after="\r\n"), size=64 * KB, refusals=(http.client.HTTPException,))
