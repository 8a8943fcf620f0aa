"""What the calls on deliveries, OpenAI batches and counts look like from outside."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from polling.openai.models import STATUSES
from polling.outbox.deliveries import DeliveryStatus
from polling.site import legacy_api
from polling.site.deliveries_api import DeliverySerializer, DeliveryWithAttemptsSerializer
from teckochecker.kit.openapi import WARNING, Answer, Body, Operation, Table, envelope, listed, parameter, says
from teckochecker.kit.pagination import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

DELIVERIES, BATCHES, SYSTEM = "Deliveries", "OpenAI batches", "System"

PAGING: tuple[OpenApiParameter, ...] = (
    parameter(
        "limit", "Rows of this page.", example=20, type="integer", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT
    ),
    parameter("offset", "Rows before it.", example=0, type="integer", minimum=0, maximum=MAX_OFFSET, default=0),
)

DELIVERY: dict[str, Any] = {
    "id": "0f9d4a53-52b6-4d0d-a0a5-6c1c6a2e7f10",
    "job_kind": "custom",
    "job_id": 7,
    "job_name": "nightly export",
    "cycle": 1,
    "event": "check.ended",
    "test": False,
    "url": "https://hooks.example.com/exports",
    "method": "POST",
    "status": "pending",
    "attempts": 1,
    "last_status_code": 503,
    "last_error": "The receiver answered 503.",
    "next_attempt_at": "2026-01-31T22:10:30.000000Z",
    "created_at": "2026-01-31T22:10:00.000000Z",
    "delivered_at": None,
}
ATTEMPT = {
    "number": 1,
    "started_at": "2026-01-31T22:10:00.500000Z",
    "status_code": 503,
    "duration_ms": 82,
    "error": "The receiver answered 503.",
    "answer": "try again later",
}
ATTEMPTED = {**DELIVERY, "attempt_rows": [ATTEMPT]}
DELIVERY_PAGE = Answer(envelope("DeliveryPage", "deliveries", DeliverySerializer), listed("deliveries", DELIVERY))

DELIVERY_CALLS: Table = {
    "GET /api/deliveries": Operation(
        summary="List deliveries",
        tag=DELIVERIES,
        about="The newest first.",
        query=(
            parameter("status", "Only those in this status.", example="pending", enum=DeliveryStatus.values),
            parameter("job_kind", "Only those of this kind of job.", example="custom"),
            parameter("job_id", "Only those of this job.", example=7, type="integer", minimum=0, maximum=10**18 - 1),
            *PAGING,
        ),
        answers={200: DELIVERY_PAGE},
    ),
    "GET /api/deliveries/{id}": Operation(
        summary="Show a delivery with its attempts",
        tag=DELIVERIES,
        answers={200: Answer(DeliveryWithAttemptsSerializer, ATTEMPTED)},
    ),
    "POST /api/deliveries/{id}/resend": Operation(
        summary="Send a delivery again",
        tag=DELIVERIES,
        about="The same call with the same id.",
        answers={202: Answer(DeliveryWithAttemptsSerializer, ATTEMPTED)},
        refuses=[409],
    ),
}

WEBHOOK: dict[str, Any] = {
    "webhook_url": "https://hooks.example.com/batches",
    "webhook_method": "POST",
    "webhook_headers": {"Authorization": "Bearer secret_ref:hook"},
    "webhook_query_params": None,
    "webhook_signing_secrets": [],
    "alert_url": None,
}
NEW_POLLING_JOB: dict[str, Any] = {
    "name": "nightly batch",
    "batch_ids": ["batch_67a1"],
    "openai_secret_id": 1,
    "keboola_secret_id": 2,
    "keboola_stack_url": "https://connection.keboola.com",
    "keboola_component_id": "kds-team.app-custom-python",
    "keboola_configuration_id": "12345",
    "poll_interval_seconds": 120,
    "webhook_url": WEBHOOK["webhook_url"],
    "webhook_headers": WEBHOOK["webhook_headers"],
}
POLLING_JOB: dict[str, Any] = {
    "id": 3,
    **{name: value for name, value in NEW_POLLING_JOB.items() if name != "batch_ids"},
    "batches": [
        {
            "id": 5,
            "batch_id": "batch_67a1",
            "status": "in_progress",
            "created_at": "2026-01-31T22:00:00.000000Z",
            "completed_at": None,
        }
    ],
    "batch_count": 1,
    "completed_count": 0,
    "failed_count": 0,
    "openai_secret_name": "openai",
    "keboola_secret_name": "keboola",
    "status": "active",
    "last_check_at": None,
    "next_check_at": "2026-01-31T22:02:00.000000Z",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
    **WEBHOOK,
}
POLLING_LOG = {
    "id": 11,
    "job_id": 3,
    "status": "pending",
    "message": "0 of 1 batches have ended.",
    "created_at": "2026-01-31T22:02:01.000000Z",
}


class PollingJobWithLogsSerializer(legacy_api.PollingJobSerializer):
    """As it is shown; ``include_logs=false`` leaves the logs out."""

    logs = legacy_api.PollingLogSerializer(many=True, required=False)

    class Meta(legacy_api.PollingJobSerializer.Meta):
        fields = (*legacy_api.PollingJobSerializer.Meta.fields, "logs")  # type: ignore[assignment]


def move(summary: str, status: str) -> Operation:
    answer = Answer(legacy_api.PollingJobSerializer, {**POLLING_JOB, "status": status})
    return Operation(summary=summary, tag=BATCHES, answers={200: answer}, refuses=[409])


BATCH_CALLS: Table = {
    "GET /api/jobs": Operation(
        summary="List jobs that watch batches",
        tag=BATCHES,
        about="All of them, the newest first.",
        query=(
            parameter(
                "status",
                "Only those in this status; empty, all of them.",
                example="active",
                enum=[*(value for value, _ in STATUSES), ""],
            ),
        ),
        answers={
            200: Answer(
                envelope("PollingJobList", "jobs", legacy_api.PollingJobSerializer, paged=False),
                listed("jobs", POLLING_JOB, limit=None),
            )
        },
        invalid=422,
    ),
    "POST /api/jobs": Operation(
        summary="Watch batches",
        tag=BATCHES,
        about="When all batches have ended, the webhook is called, the Keboola job started, or both: one of them is "
        "wanted, and Keboola's four fields go together. An unknown secret, or one of another type, is 404. A job "
        "without `webhook_url` and `alert_url` is shown without the fields of webhooks and alerts.",
        bodies=(Body(legacy_api.CreateSerializer, NEW_POLLING_JOB),),
        answers={201: Answer(legacy_api.PollingJobSerializer, POLLING_JOB, headers=WARNING)},
        refuses=[404],
        invalid=422,
    ),
    "GET /api/jobs/{id}": Operation(
        summary="Show a job that watches batches",
        tag=BATCHES,
        query=(
            parameter("include_logs", "Whether to show its logs.", example=True, type="boolean", default=True),
            parameter(
                "log_limit",
                "How many of the newest logs.",
                example=50,
                type="integer",
                minimum=1,
                maximum=legacy_api.MOST_LOGS,
                default=legacy_api.LOGS,
            ),
        ),
        answers={200: Answer(PollingJobWithLogsSerializer, {**POLLING_JOB, "logs": [POLLING_LOG]})},
        invalid=422,
    ),
    "PUT /api/jobs/{id}": Operation(
        summary="Change a job that watches batches",
        tag=BATCHES,
        about="Fields that are not named stay as they are.",
        bodies=(Body(legacy_api.ChangeSerializer(partial=True), {"poll_interval_seconds": 300}),),
        answers={200: Answer(legacy_api.PollingJobSerializer, {**POLLING_JOB, "poll_interval_seconds": 300})},
        invalid=422,
    ),
    "DELETE /api/jobs/{id}": Operation(
        summary="Delete a job that watches batches", tag=BATCHES, answers={204: Answer()}
    ),
    "POST /api/jobs/{id}/pause": move("Pause a job that watches batches", "paused"),
    "POST /api/jobs/{id}/resume": move("Resume a job that watches batches", "active"),
}

COUNTS = {
    "total_jobs": 12,
    "active_jobs": 5,
    "paused_jobs": 1,
    "completed_jobs": 6,
    "failed_jobs": 0,
    "total_secrets": 4,
    "total_logs": 2300,
}
SYSTEM_CALLS: Table = {
    "GET /api/stats": Operation(
        summary="Count jobs, secrets and checks",
        tag=SYSTEM,
        about="Over every kind of job. `uptime_seconds` is that of the process which answers.",
        answers={
            200: Answer(
                says(
                    {name: {"type": "integer", "minimum": 0} for name in COUNTS}
                    | {"uptime_seconds": {"type": "number"}}
                ),
                {**COUNTS, "uptime_seconds": 86400.5},
            )
        },
    ),
}

OPERATIONS: Table = {**DELIVERY_CALLS, **BATCH_CALLS, **SYSTEM_CALLS}
