"""What users may write for something that is called: a webhook's URL, a repository's URL and its branch.

Only what can be known without resolving a name; where the name leads is looked at when it is connected to.
"""

import re
import unicodedata
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from polling import addresses
from secrets_app.references import PREFIX, ReferenceError_, find

MAX_BRANCH = 100
MAX_PATH = 200

_ESCAPED_CONTROL = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH_REFUSED = re.compile(
    r"""[\x00-\x20\x7f~^:?*\[\\]   # control, space and what revisions are made of
    | \.\. | @\{ | // | ^[-+/.] | /\. | [/.]$ | \.lock(?:/|$)""",
    re.VERBOSE,
)


def webhook_url(value: object, *, allow: Iterable[str] = ()) -> None:
    """``allow``: hosts and networks of the operator, which may also be called by http, by address, on any port."""
    _target(value, allow=allow)


def git_url(value: object, *, allow: Iterable[str] = ()) -> None:
    target = _target(value, allow=allow)
    if target.scheme != "https":
        raise ValidationError("A repository's URL starts with https://.", code="url_scheme")
    if "?" in target.path:
        raise ValidationError("A repository's URL has no query.", code="url_query")
    if not target.path.strip("/"):
        raise ValidationError("The URL lacks the path of the repository.", code="url_path")


def git_branch(value: object) -> None:
    """What ``git check-ref-format`` takes, without a leading + or -, and without invisible characters."""
    if not isinstance(value, str) or not value:
        raise ValidationError("Give the name of a branch, such as main.", code="branch")
    if len(value) > MAX_BRANCH:
        raise ValidationError(f"A branch has at most {MAX_BRANCH} characters.", code="branch_length")
    if _BRANCH_REFUSED.search(value) or value in ("@", "HEAD") or not visible(value):
        raise ValidationError(f"{value!r:.80} cannot be the name of a branch.", code="branch")


def git_commit(value: object) -> None:
    if not isinstance(value, str) or not _COMMIT.fullmatch(value):
        raise ValidationError("A commit is its whole number: 40 (or 64) hexadecimal digits.", code="commit")


def git_path(value: object) -> None:
    """A folder of the repository."""
    if not isinstance(value, str) or not value or len(value) > MAX_PATH:
        raise ValidationError(f"The folder is a path of at most {MAX_PATH} characters.", code="path")
    parts = value.split("/")
    if not visible(value) or "\\" in value or any(part in ("", ".", "..") or part.startswith("-") for part in parts):
        raise ValidationError("The folder is a path inside the repository, such as checks/nightly.", code="path")


def git_token(value: object) -> None:
    """One reference and nothing else: a token itself would be shown with the job."""
    try:
        found = find(value) if isinstance(value, str) else []
    except ReferenceError_ as error:
        raise ValidationError(str(error), code="secret_ref") from error
    if not isinstance(value, str) or [(one.start, one.end) for one in found] != [(0, len(value))]:
        raise ValidationError(f"Store the token as a secret and write {PREFIX}NAME here.", code="token")


def visible(text: str) -> bool:
    """No control, formatting (right-to-left, zero-width) or separator characters, no lone surrogates."""
    return all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)


def _target(value: object, *, allow: Iterable[str]) -> addresses.Target:
    if not isinstance(value, str) or not value:
        raise ValidationError("Give a URL that starts with https://.", code="url")
    _check_sendable(value)
    try:
        return addresses.check_url(value, allow=addresses.Allowance.parse(allow))
    except addresses.UrlRefused as error:
        raise ValidationError(str(error), code="url") from error


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
