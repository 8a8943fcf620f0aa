"""What users may write for a call that is to be made: URL, method, headers, query and signing keys.

Only what can be known without resolving a name; where the name leads is looked at when it is connected to. Every
refusal is a ValidationError with a code.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from polling.http import addresses
from polling.outbox import templates
from polling.outbox.declared import MAX_SIGNING_SECRETS
from secrets_app import references
from secrets_app.references import PREFIX

MAX_ENTRIES = 100
MAX_HEADER_VALUE = 4096

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_RESERVED_HEADERS = re.compile(
    r"""host | connection | keep-alive | proxy-.* | te | trailer | transfer-encoding | upgrade | expect
    | accept-encoding | content-length | content-encoding | webhook-(?:id|timestamp|signature)""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)


class WebhookMethod(models.TextChoices):
    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


def webhook_url(value: object, *, allow: Iterable[str] = ()) -> None:
    """``allow``: hosts and networks of the operator, which may also be called by http, by address, on any port."""
    target(value, allow=allow)


def webhook_method(value: object) -> None:
    if value not in WebhookMethod.values:
        raise ValidationError(f"The method is one of {', '.join(WebhookMethod.values)}.", code="method")


def webhook_headers(value: object) -> None:
    headers = strings(value)
    if len({key.lower() for key in headers}) < len(headers):
        raise ValidationError("A header is given twice: small and capital letters are the same.", code="header_twice")
    for key, text in headers.items():
        if not _HEADER.fullmatch(key):
            raise ValidationError(f"{key!r:.80} is not the name of a header.", code="header_name")
        if _RESERVED_HEADERS.fullmatch(key):
            raise ValidationError(
                f"The header {key} is set by TeckoChecker itself: leave it out.", code="header_reserved"
            )
        if not _is_header_value(text):
            raise ValidationError(
                f"The value of {key} has control or non-Latin-1 characters, spaces at an end, or is longer than 4 kB.",
                code="header_value",
            )


def webhook_query_params(value: object) -> None:
    """Names are plain, values may hold templates and references to secrets."""
    check_query(value, roots=templates.ROOTS)


def check_query(value: object, *, roots: frozenset[str]) -> None:
    for key, text in strings(value).items():
        if not key or len(key) > 100 or not visible(key) or "{" in key or "}" in key:
            raise ValidationError(f"{key!r:.80} is not the name of a query parameter.", code="query_name")
        check_storable(text, f"The value of {key!r:.80}")
        try:
            templates.check(text, roots=roots)
        except templates.TemplateError as error:
            raise ValidationError(f"{key!r:.80}: {error}", code="template") from error


def webhook_signing_secrets(value: object) -> None:
    """One reference for one key; two while receivers change from one key to the other."""
    if not isinstance(value, list) or len(value) > MAX_SIGNING_SECRETS:
        raise ValidationError(f"A list of at most {MAX_SIGNING_SECRETS} references is wanted.", code="signing_secrets")
    for key in strings({str(place): key for place, key in enumerate(value)}).values():
        found = references.find(key)
        if len(found) != 1 or (found[0].start, found[0].end) != (0, len(key)):
            raise ValidationError("A signing secret is secret_ref: and a secret's number or name.", code="signing_ref")
    if len(set(value)) < len(value):
        raise ValidationError("The same signing secret is given twice.", code="signing_twice")


def secret_token(value: object) -> None:
    """One reference and nothing else: a token itself would be shown with the job."""
    try:
        found = references.find(value) if isinstance(value, str) else []
    except references.ReferenceError_ as error:
        raise ValidationError(str(error), code="secret_ref") from error
    if not isinstance(value, str) or [(one.start, one.end) for one in found] != [(0, len(value))]:
        raise ValidationError(f"Store the token as a secret and write {PREFIX}NAME here.", code="token")


def target(value: object, *, allow: Iterable[str]) -> addresses.Target:
    if not isinstance(value, str) or not value:
        raise ValidationError("Give a URL that starts with https://.", code="url")
    _check_sendable(value)
    try:
        return addresses.check_url(value, allow=addresses.Allowance.parse(allow))
    except addresses.UrlRefused as error:
        raise ValidationError(str(error), code="url") from error


def strings(value: object) -> dict[str, str]:
    """Strings, in which every reference to a secret is well formed."""
    entries = json_object(value)
    if len(entries) > MAX_ENTRIES:
        raise ValidationError(f"At most {MAX_ENTRIES} entries are possible.", code="too_many")
    for key, text in entries.items():
        if not isinstance(text, str):
            raise ValidationError(f"The value of {key!r:.80} is a string.", code="not_string")
        try:
            references.find(text)
        except references.ReferenceError_ as error:
            raise ValidationError(f"{key!r:.80}: {error}", code="secret_ref") from error
    return entries


def json_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValidationError("A JSON object is wanted.", code="not_object")
    return value


def check_storable(text: str, what: str) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate pair, and no environment holds them."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError(f"{what} has a NUL or a lone surrogate.", code="not_storable")


def visible(text: str) -> bool:
    """No control, formatting (right-to-left, zero-width) or separator characters, no lone surrogates."""
    return all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)


def _is_header_value(text: str) -> bool:
    printable = all(character == "\t" or " " <= character <= "~" or "\xa0" <= character <= "\xff" for character in text)
    return printable and text == text.strip(" \t\xa0") and len(text) <= MAX_HEADER_VALUE


def _check_sendable(url: str) -> None:
    if PREFIX in url:
        raise ValidationError(
            "A secret does not belong in a URL, which is shown and logged: use a header or a query parameter.",
            code="url_secret",
        )
    if "#" in url:
        raise ValidationError("The URL has a #fragment, which is never sent. Leave it out.", code="url_fragment")
    if "{" in url or "}" in url:
        raise ValidationError("A URL has no templates: put them into webhook_query_params.", code="url_template")
    if _ESCAPED_CONTROL.search(url):
        raise ValidationError("The URL has an escaped control character.", code="url_character")
