"""What health, metrics and tokens look like from outside."""

from polling.site.schema import PAGING
from secrets_app.access.serializers import MadeTokenSerializer, TokenSerializer
from teckochecker.api.audit import ACTIONS, EntrySerializer
from teckochecker.api.tokens import NewTokenSerializer
from teckochecker.kit.openapi import TEXT, Answer, Body, Operation, Table, envelope, listed, parameter, says

SYSTEM, ACCESS = "System", "Access"
TIME = {"type": "string", "format": "date-time"}
PARTS = ("database", "sweep", "engine", "rules", "queue", "disk", "deliveries")
STATE = {**TEXT, "enum": ["ok", "degraded", "failed", "unknown", "unavailable"]}
HEALTH = says(
    {
        "status": {**TEXT, "enum": ["healthy", "degraded", "unhealthy"]},
        "timestamp": TIME,
        "version": TEXT,
        "reasons": {"type": "array", "items": TEXT},
        "sweep_age_seconds": {"type": "number", "nullable": True},
        "deliveries_waiting": {"type": "integer", "nullable": True},
        **dict.fromkeys(PARTS, STATE),
    }
)
HEALTHY = {
    "status": "healthy",
    "timestamp": "2026-01-31T22:04:11.120000Z",
    "version": "1.0.0",
    "reasons": [],
    "sweep_age_seconds": 0.9,
    "deliveries_waiting": 0,
    **dict.fromkeys(PARTS, "ok"),
}
AWAY = {
    **HEALTHY,
    "status": "unhealthy",
    "reasons": ["The database does not answer."],
    "sweep_age_seconds": None,
    "deliveries_waiting": None,
    **dict.fromkeys(PARTS, "unknown"),
    "database": "unavailable",
}

TOKEN = {
    "id": 3,
    "name": "nightly import",
    "user": "ada",
    "scope": "operate",
    "prefix": "tck_5b1e0c7a2f9",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "expiry": "2026-05-01T22:00:00.000000Z",
    "last_used_at": "2026-01-31T22:04:00.000000Z",
    "expired": False,
}
AT = "2026-01-31T22:04:00.000000Z"
ENTRY = {
    "id": 12,
    "at": AT,
    "actor": "ada",
    "via": "token nightly import",
    "address": "192.0.2.7",
    "action": "update",
    "event": "paused",
    "model": "customchecks.customcheckjob",
    "object_id": "7",
    "object": "nightly export",
    "changes": {"status": ["active", "paused"]},
}

OPERATIONS: Table = {
    "GET /api/health": Operation(
        summary="Tell whether the server works",
        tag=SYSTEM,
        about="Open to all. 503 where no job is checked, with the reasons; `degraded` where checks run, and something "
        "is amiss.",
        answers={200: Answer(HEALTH, HEALTHY), 503: Answer(HEALTH, AWAY)},
    ),
    "GET /metrics": Operation(
        summary="Metrics for Prometheus",
        tag=SYSTEM,
        answers={200: Answer(TEXT, 'jobs{kind="custom",status="active"} 5.0\n', "text/plain; version=0.0.4")},
    ),
    "GET /api/tokens": Operation(
        summary="List tokens",
        tag=ACCESS,
        about="One's own; for admins everybody's.",
        query=(parameter("user", "Only those of this user.", example="ada"), *PAGING),
        answers={200: Answer(envelope("TokenPage", "tokens", TokenSerializer), listed("tokens", TOKEN))},
    ),
    "POST /api/tokens": Operation(
        summary="Make a token",
        tag=ACCESS,
        about="With a password or a session. It is shown only this once.",
        bodies=(Body(NewTokenSerializer, {"name": "nightly import", "scope": "operate", "expires_in_days": 90}),),
        answers={201: Answer(MadeTokenSerializer, {"token": "tck_5b1e0c7a2f94…", **TOKEN, "last_used_at": None})},
    ),
    "DELETE /api/tokens": Operation(
        summary="Revoke the token that asks", tag=ACCESS, about="With that token.", answers={204: Answer()}
    ),
    "GET /api/tokens/{id}": Operation(
        summary="Show a token",
        tag=ACCESS,
        about="All but the token itself.",
        answers={200: Answer(TokenSerializer, TOKEN)},
    ),
    "DELETE /api/tokens/{id}": Operation(
        summary="Revoke a token", tag=ACCESS, about="One's own; for admins everybody's.", answers={204: Answer()}
    ),
    "GET /api/audit": Operation(
        summary="List who changed what",
        tag=ACCESS,
        about="The newest first. Values of secrets, of a script's environment and of a webhook's headers are `***`.",
        query=(
            parameter("actor", "Only what this user did.", example="ada"),
            parameter("model", "Only changes of these.", example="customchecks.customcheckjob"),
            parameter("object_id", "Only changes of this one.", example="7"),
            parameter("action", "Only these.", example="update", enum=list(ACTIONS)),
            parameter("since", "Only what was done at this time or later.", example=AT, format="date-time"),
            parameter("until", "Only what was done before this time.", example=AT, format="date-time"),
            *PAGING,
        ),
        answers={200: Answer(envelope("AuditPage", "entries", EntrySerializer), listed("entries", ENTRY))},
    ),
}
