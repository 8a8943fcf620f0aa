"""What users may write for a repository: its URL, branch, commit and folder.

Only what can be known without resolving a name; where the name leads is looked at when it is connected to.
"""

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError

from polling.outbox.webhook_fields import secret_token as git_token
from polling.outbox.webhook_fields import target, visible

__all__ = ["git_branch", "git_commit", "git_path", "git_token", "git_url"]

MAX_BRANCH = 100
MAX_PATH = 200

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH_REFUSED = re.compile(
    r"""[\x00-\x20\x7f~^:?*\[\\]   # control, space and what revisions are made of
    | \.\. | @\{ | // | ^[-+/.] | /\. | [/.]$ | \.lock(?:/|$)""",
    re.VERBOSE,
)


def git_url(value: object, *, allow: Iterable[str] = ()) -> None:
    found = target(value, allow=allow)
    if found.scheme != "https":
        raise ValidationError("A repository's URL starts with https://.", code="url_scheme")
    if "?" in found.path:
        raise ValidationError("A repository's URL has no query.", code="url_query")
    if not found.path.strip("/"):
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
