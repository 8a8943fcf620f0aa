"""What the calls about jobs by name, and about many at once, look like from outside."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from customchecks.api.examples import CONFIG, JOB, LOG
from customchecks.api.many import YAML, BulkSerializer, ImportSerializer
from customchecks.api.schema_parts import (
    CHOICE,
    EITHER_FORM,
    ETAG,
    FORM_SHAPE,
    IF_MATCH,
    JOBS,
    ONE,
    PATH,
    REPLACES,
    SAVED,
)
from customchecks.api.serializers import JobSerializer
from customchecks.jobs import bulk
from teckochecker.kit.openapi import FORM, OBJECT, TEXT, Answer, Body, Operation, Table, parameter, takes

UNNAMED = {field: value for field, value in CONFIG.items() if field != "name"}
FEW = '{"script_source_type": "upload", "script_runtime": "python"}'
ONLY_NEW = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="`*`: only where there is none.")
DOCUMENT = takes({"teckochecker": {"type": "integer", "enum": [1]}, "jobs": {"type": "array", "items": OBJECT}})
EXPORTED = "teckochecker: 1\njobs:\n- name: nightly export\n  script_source_type: upload\n  script_runtime: python\n"
ENTRY = {"name": "nightly export", "script_source_type": "upload", "script_runtime": "python"}
FILTER = takes(
    {"status": TEXT, "runtime": TEXT, "tags": {"type": "array", "items": TEXT}, "search": TEXT},
)
IDS = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": bulk.MOST}
WORDS = {
    "pause": "Pause many jobs",
    "resume": "Resume many jobs",
    "trigger": "Check many jobs now",
    "restart": "Watch many ended jobs anew",
    "delete": "Delete many jobs",
}


def of_many(action: str) -> Operation:
    check_id = LOG["check_id"] if action == "trigger" else None
    status = None if action == "delete" else {"pause": "paused"}.get(action, "active")
    done = {"job_id": 7, "ok": True, "status": status, "check_id": check_id, "detail": ""}
    gone = {"job_id": 8, "ok": False, "status": None, "check_id": None, "detail": bulk.GONE}
    example: dict[str, Any] = {"action": action, "results": [done, gone], "total": 2, "succeeded": 1, "failed": 1}
    return Operation(
        summary=WORDS[action],
        tag=JOBS,
        about=f"Of `ids` or of all that a `filter` finds, at most {bulk.MOST}. Each has its own result.",
        bodies=(
            Body(takes({"ids": {**IDS, "nullable": True}, "filter": {**FILTER, "nullable": True}}), {"ids": [7, 8]}),
        ),
        answers={200: Answer(BulkSerializer, example)},
    )


CALLS: Table = {
    f"POST {ONE}/clone": Operation(
        summary="Clone a job",
        tag=JOBS,
        about="With its script, and paused, so that it can be changed first.",
        bodies=(Body(takes({"name": {**TEXT, "nullable": True}}), {"name": "nightly export (copy)"}),),
        answers={
            201: Answer(JobSerializer, {**JOB, "name": "nightly export (copy)", "status": "paused"}, headers=SAVED)
        },
    ),
    f"GET {PATH}/by-name/{{name}}": Operation(
        summary="Show the job of a name",
        tag=JOBS,
        about="409 where several jobs have it.",
        answers={200: Answer(JobSerializer, JOB, headers=ETAG)},
        refuses=[404, 409],
    ),
    f"PUT {PATH}/by-name/{{name}}": Operation(
        summary="Make or replace the job of a name",
        tag=JOBS,
        about=f"{EITHER_FORM} {REPLACES}",
        headers=(IF_MATCH, ONLY_NEW),
        bodies=(Body(JobSerializer(partial=True), UNNAMED), Body(FORM_SHAPE, {"config": FEW}, FORM)),
        answers={200: Answer(JobSerializer, JOB, headers=SAVED), 201: Answer(JobSerializer, JOB, headers=SAVED)},
        refuses=[404, 409, 412],
    ),
    f"GET {PATH}/export": Operation(
        summary="Export jobs",
        tag=JOBS,
        about="As YAML, without state, scripts or values of secrets.",
        query=CHOICE,
        answers={200: Answer(DOCUMENT, {"teckochecker": 1, "jobs": [ENTRY]}, media_type=YAML)},
    ),
    f"POST {PATH}/import": Operation(
        summary="Import jobs",
        tag=JOBS,
        about="All jobs of the document are made or replaced by their names, or none.",
        query=(parameter("dry_run", "Only say what would be done.", example="true", enum=["true", "false"]),),
        bodies=(Body(DOCUMENT, {"teckochecker": 1, "jobs": [ENTRY]}), Body(TEXT, EXPORTED, YAML)),
        answers={
            200: Answer(
                ImportSerializer,
                {
                    "dry_run": False,
                    "results": [
                        {
                            "name": "nightly export",
                            "job_id": 7,
                            "action": "updated",
                            "changes": {"poll_interval_seconds": {"from": 120, "to": 300}},
                        }
                    ],
                },
            )
        },
    ),
    **{f"POST {PATH}/bulk/{action}": of_many(action) for action in bulk.ACTIONS},
}
