"""What health, metrics and tokens look like from outside."""

from secrets_app.openapi import TEXT, Answer, Body, Operation, Table, says, takes

SYSTEM, ACCESS = "System", "Access"
TIME = {"type": "string", "format": "date-time"}
HEALTH = says(
    {"status": {**TEXT, "enum": ["healthy", "unhealthy"]}, "timestamp": TIME, "database": TEXT, "version": TEXT}
)
HEALTHY = {"status": "healthy", "timestamp": "2026-01-31T22:04:11.120000Z", "database": "ok", "version": "1.0.0"}

OPERATIONS: Table = {
    "GET /api/health": Operation(
        summary="Tell whether the server works",
        tag=SYSTEM,
        about="Open to all.",
        answers={
            200: Answer(HEALTH, HEALTHY),
            503: Answer(HEALTH, {**HEALTHY, "status": "unhealthy", "database": "unavailable"}),
        },
    ),
    "GET /metrics": Operation(
        summary="Metrics for Prometheus",
        tag=SYSTEM,
        answers={200: Answer(TEXT, 'jobs{kind="custom",status="active"} 5.0\n', "text/plain; version=0.0.4")},
    ),
    "POST /api/tokens": Operation(
        summary="Make a token",
        tag=ACCESS,
        about="With a password or a session. It is shown only this once.",
        bodies=(Body(takes({}), {}),),
        answers={
            201: Answer(
                says({"token": TEXT, "expiry": {**TIME, "nullable": True}}),
                {"token": "tck_8d2f…", "expiry": "2026-05-01T22:00:00.000000Z"},
            )
        },
    ),
    "DELETE /api/tokens": Operation(
        summary="Revoke the token that asks", tag=ACCESS, about="With that token.", answers={204: Answer()}
    ),
}
