"""Who may call what, and what they are answered. ``test_matrix`` compares it with the URLs, so that none is forgotten.

A row is one method of one named URL. ``level`` says who may, ``code`` what they are answered; everybody below is
answered 403, and whoever is not logged in 401. ``exact`` is for the principals to whom this does not apply.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    OPEN = 0  # without a login
    LOGIN = 1  # every user, also one without a role
    READ = 2
    OPERATE = 3
    ADMIN = 4


# Tokens are of an admin, so that only their scope holds them back
PRINCIPALS = {
    "anonymous": Level.OPEN,
    "viewer": Level.READ,
    "operator": Level.OPERATE,
    "admin": Level.ADMIN,
    "read token": Level.READ,
    "operate token": Level.OPERATE,
    "expired token": Level.OPEN,
}
NO_TOKENS = {"read token": 401, "operate token": 401}


@dataclass(frozen=True)
class Row:
    """``of`` names what the path is about (a key of ``test_matrix.things``); ``multipart`` sends a form."""

    level: Level
    code: int
    of: str = ""
    body: Any = None
    multipart: bool = False
    exact: Mapping[str, int] = field(default_factory=dict)

    def expected(self) -> dict[str, int]:
        return {who: self.exact.get(who, self._answer(level)) for who, level in PRINCIPALS.items()}

    def _answer(self, level: Level) -> int:
        if level >= self.level:
            return self.code
        return 401 if level is Level.OPEN else 403


READ, OPERATE, ADMIN = Level.READ, Level.OPERATE, Level.ADMIN
JOB = {"name": "new", "script_source_type": "upload", "script_runtime": "python", "check_params": {}}
UNNAMED_JOB = {key: value for key, value in JOB.items() if key != "name"}
POLLING_JOB = {
    "name": "new",
    "batch_ids": ["batch_1"],
    "openai_secret_id": 1,
    "keboola_secret_id": 1,
    "keboola_stack_url": "https://connection.example.com",
    "keboola_component_id": "c",
    "keboola_configuration_id": "1",
}
GROUP = {"name": "new", "members": [{"kind": "custom", "id": 4711}], "webhook_url": "https://hooks.example.com/"}

# (name of the URL, method): row
ROWS: dict[tuple[str, str], Row] = {
    ("health", "GET"): Row(Level.OPEN, 200),
    ("metrics", "GET"): Row(Level.LOGIN, 200),
    ("schema", "GET"): Row(Level.LOGIN, 200),
    ("docs", "GET"): Row(Level.LOGIN, 200),
    ("redoc", "GET"): Row(Level.LOGIN, 200),
    ("stats", "GET"): Row(READ, 200),
    # Custom checks
    ("custom-check-list", "GET"): Row(READ, 200),
    ("custom-check-list", "POST"): Row(OPERATE, 201, body=JOB),
    ("custom-check-detail", "GET"): Row(READ, 200, of="job"),
    ("custom-check-detail", "PUT"): Row(OPERATE, 200, of="job", body={"poll_interval_seconds": 60}),
    ("custom-check-detail", "PATCH"): Row(OPERATE, 200, of="job", body={"poll_interval_seconds": 60}),
    ("custom-check-detail", "DELETE"): Row(OPERATE, 204, of="job"),
    ("custom-check-clone", "POST"): Row(OPERATE, 201, of="job"),
    ("custom-check-by-name-detail", "GET"): Row(READ, 200, of="name"),
    ("custom-check-by-name-detail", "PUT"): Row(OPERATE, 200, of="name", body=UNNAMED_JOB),
    ("custom-checks-export", "GET"): Row(READ, 200),
    ("custom-checks-import", "POST"): Row(OPERATE, 200, body={"jobs": [JOB]}),
    **{
        (f"custom-checks-bulk-{action}", "POST"): Row(OPERATE, 200, body={"ids": [1]})
        for action in ("pause", "resume", "trigger", "restart", "delete")
    },
    ("custom-check-logs", "GET"): Row(READ, 200, of="job"),
    ("custom-check-pause", "POST"): Row(OPERATE, 200, of="job"),
    ("custom-check-resume", "POST"): Row(OPERATE, 409, of="job"),
    ("custom-check-trigger", "POST"): Row(OPERATE, 202, of="job"),
    ("custom-check-test", "POST"): Row(OPERATE, 202, of="job"),
    ("custom-check-check", "GET"): Row(READ, 202, of="check"),
    ("custom-check-restart", "POST"): Row(OPERATE, 409, of="job"),
    ("custom-check-deliveries", "GET"): Row(READ, 200, of="job"),
    ("custom-check-webhook-test", "POST"): Row(OPERATE, 409, of="job"),
    ("custom-check-script-upload", "POST"): Row(OPERATE, 400, of="job", multipart=True),
    ("custom-check-script-info", "GET"): Row(READ, 200, of="job"),
    ("custom-check-script-versions", "GET"): Row(READ, 200, of="job"),
    ("custom-check-script-git", "POST"): Row(OPERATE, 400, of="job"),
    ("custom-check-script-rollback", "POST"): Row(OPERATE, 200, of="job", body={"version": 1}),
    ("custom-check-script-pin", "POST"): Row(OPERATE, 200, of="job"),
    ("custom-check-script-unpin", "POST"): Row(OPERATE, 200, of="job"),
    # Deliveries
    ("delivery-list", "GET"): Row(READ, 200),
    ("delivery-detail", "GET"): Row(READ, 200, of="delivery"),
    ("delivery-resend", "POST"): Row(OPERATE, 409, of="delivery"),
    # Groups
    ("group-list", "GET"): Row(READ, 200),
    ("group-list", "POST"): Row(OPERATE, 400, body=GROUP),
    ("group-detail", "GET"): Row(READ, 200, of="group"),
    ("group-detail", "PUT"): Row(OPERATE, 200, of="group", body={"name": "renamed"}),
    ("group-detail", "PATCH"): Row(OPERATE, 200, of="group", body={"name": "renamed"}),
    ("group-detail", "DELETE"): Row(OPERATE, 204, of="group"),
    ("group-restart", "POST"): Row(OPERATE, 409, of="group"),
    ("group-webhook-test", "POST"): Row(OPERATE, 202, of="group"),
    # OpenAI batches, as of version 0.9
    ("job-list", "GET"): Row(READ, 200),
    ("job-list", "POST"): Row(OPERATE, 404, body=POLLING_JOB),
    ("job-detail", "GET"): Row(READ, 200, of="polling job"),
    ("job-detail", "PUT"): Row(OPERATE, 200, of="polling job", body={"name": "renamed"}),
    ("job-detail", "DELETE"): Row(OPERATE, 204, of="polling job"),
    ("job-pause", "POST"): Row(OPERATE, 200, of="polling job"),
    ("job-resume", "POST"): Row(OPERATE, 409, of="polling job"),
    # Secrets
    ("secret-list", "GET"): Row(READ, 200),
    ("secret-list", "POST"): Row(ADMIN, 201, body={"name": "new", "value": "long enough"}),
    ("secret-detail", "GET"): Row(READ, 200, of="secret"),
    ("secret-detail", "PUT"): Row(ADMIN, 200, of="secret", body={"value": "long enough"}),
    ("secret-detail", "DELETE"): Row(ADMIN, 204, of="secret"),
    ("audit-list", "GET"): Row(READ, 200),
    # Tokens: one's own, and for admins those of others. The token of these rows is another admin's
    ("token-list", "GET"): Row(Level.LOGIN, 200),
    ("token-list", "POST"): Row(Level.LOGIN, 201, exact=NO_TOKENS),
    ("token-list", "DELETE"): Row(
        Level.LOGIN, 204, exact={"viewer": 401, "operator": 401, "admin": 401}
    ),  # revokes the token of the call
    ("token-detail", "GET"): Row(
        Level.LOGIN, 404, of="token", exact={"admin": 200, "read token": 404, "operate token": 404}
    ),
    ("token-detail", "DELETE"): Row(Level.LOGIN, 404, of="token", exact={"admin": 204, "read token": 403}),
}
