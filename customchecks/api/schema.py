"""What the calls of ``/api/custom-checks`` look like from outside."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from customchecks.api import schema_many
from customchecks.api.examples import CONFIG, JOB, LOG, SHA256, VERSION
from customchecks.api.schema_parts import (
    CHOICE,
    DONE,
    EITHER_FORM,
    ETAG,
    FEW,
    FORM_SHAPE,
    IF_MATCH,
    JOBS,
    KEEPS,
    LOG_CHOICE,
    ONE,
    PATH,
    PINNED,
    SAVED,
    SCRIPTS,
    VERSION_NUMBER,
)
from customchecks.api.scripts import VersionSerializer
from customchecks.api.serializers import (
    CheckSerializer,
    JobSerializer,
    LogSerializer,
    StartedSerializer,
    UnderWaySerializer,
)
from customchecks.jobs.fields import TAG
from polling.outbox.deliveries import DeliveryStatus
from polling.site.deliveries_api import DeliverySerializer
from polling.site.schema import DELIVERY, DELIVERY_PAGE, PAGING
from teckochecker.kit.openapi import (
    BINARY,
    FORM,
    NULLABLE_TEXT,
    OBJECT,
    STRINGS,
    TEXT,
    Answer,
    Body,
    Operation,
    Table,
    envelope,
    listed,
    parameter,
    says,
    takes,
)

NULLABLE_STRINGS = {**STRINGS, "nullable": True}
NULLABLE_OBJECT = {**OBJECT, "nullable": True}
STRING_LIST = {"type": "array", "items": TEXT}
LIMITS = takes(
    {
        "memory_mb": {"type": "integer", "minimum": 64, "maximum": 4096},
        "cpu_cores": {"type": "number", "minimum": 0.1, "maximum": 4},
    }
)

JSON_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "changes": {"type": "object", "additionalProperties": takes({"from": {}, "to": {}}, required=["from", "to"])},
    "tags": {"type": "array", "maxItems": 20, "items": {**TEXT, "pattern": f"^{TAG.pattern}$"}},
    "check_params": {
        **OBJECT,
        "description": "The script gets it as CHECK_PARAMS, and texts and numbers as variables too.",
    },
    "env_vars": {**NULLABLE_STRINGS, "description": "`secret_ref:NUMBER` or `secret_ref:NAME` anywhere in a value."},
    "resource_limits": {**LIMITS, "nullable": True},
    "webhook_headers": NULLABLE_STRINGS,
    "webhook_query_params": {**NULLABLE_STRINGS, "description": "Templates such as `{job_id}` are filled in."},
    "keboola_variables": {**NULLABLE_STRINGS, "description": "Templates such as `{data.output}` are filled in."},
    "webhook_signing_secrets": {**STRING_LIST, "maxItems": 2},
    "last_check_data": NULLABLE_OBJECT,
    "data": NULLABLE_OBJECT,
    "script_output": NULLABLE_OBJECT,
    "timings": OBJECT,
    "state": NULLABLE_OBJECT,
    "notes": STRING_LIST,
}


def verb(summary: str, message: str, about: str = "") -> Operation:
    answer = Answer(DONE, {"message": message, "job_id": 7})
    return Operation(summary=summary, tag=JOBS, about=about, answers={200: answer}, refuses=[409])


CHECK = {**LOG, "test": False, "state": None, "progress": None, "next_check_in": None}


def starter(summary: str, message: str, about: str) -> Operation:
    example = {"message": message, "job_id": 7, "check_id": LOG["check_id"]}
    place = f"/api/custom-checks/7/checks/{LOG['check_id']}"
    answer = Answer(
        StartedSerializer, {**example, "location": place}, headers={"Location": "Where its answer will be."}
    )
    return Operation(summary=summary, tag=JOBS, about=about, answers={202: answer}, refuses=[409])


CHANGE = Operation(
    summary="Change a job",
    tag=JOBS,
    about=f"{EITHER_FORM} {KEEPS}",
    bodies=(
        Body(JobSerializer(partial=True), {"poll_interval_seconds": 300}),
        Body(FORM_SHAPE, {"config": '{"poll_interval_seconds": 300}'}, FORM),
    ),
    headers=(IF_MATCH,),
    answers={200: Answer(JobSerializer, {**JOB, "poll_interval_seconds": 300}, headers=SAVED)},
    refuses=[412],
)

JOB_CALLS: Table = {
    f"GET {PATH}": Operation(
        summary="List jobs",
        tag=JOBS,
        query=(*CHOICE, parameter("ordering", "With a - before it from the end.", example="-last_check_at"), *PAGING),
        answers={200: Answer(envelope("JobPage", "jobs", JobSerializer), listed("jobs", JOB))},
    ),
    f"POST {PATH}": Operation(
        summary="Create a job",
        tag=JOBS,
        about=f"{EITHER_FORM} It is due at once; an upload job without a script waits for it.",
        bodies=(Body(JobSerializer, CONFIG), Body(FORM_SHAPE, {"config": FEW}, FORM)),
        answers={201: Answer(JobSerializer, JOB, headers=SAVED)},
    ),
    f"GET {ONE}": Operation(summary="Show a job", tag=JOBS, answers={200: Answer(JobSerializer, JOB, headers=ETAG)}),
    f"PUT {ONE}": CHANGE,
    f"PATCH {ONE}": CHANGE,
    f"DELETE {ONE}": Operation(
        summary="Delete a job",
        tag=JOBS,
        about="With its checks and versions. A running check is ended, and what is still owed is not sent.",
        headers=(IF_MATCH,),
        answers={204: Answer()},
        refuses=[412],
    ),
    f"POST {ONE}/pause": verb("Pause a job", "Job paused"),
    f"POST {ONE}/resume": verb("Resume a paused job", "Job resumed", "It is due at once."),
    f"POST {ONE}/trigger": starter(
        "Check a job now", "Job triggered", "A paused job is checked once and stays paused."
    ),
    f"POST {ONE}/test": starter(
        "Test a job",
        "Test started",
        "Its script runs once as in a check, with an answer of its own: no log row, no state, no delivery.",
    ),
    f"GET {ONE}/checks/{{check_id}}": Operation(
        summary="Show one check or test",
        tag=JOBS,
        about="202 until it has ended. The answer of a test is kept for a day.",
        answers={
            200: Answer(
                CheckSerializer, {**LOG, "test": False, "state": None, "progress": None, "next_check_in": None}
            ),
            202: Answer(UnderWaySerializer, {"job_id": 7, "check_id": LOG["check_id"], "state": "waiting"}),
        },
    ),
    f"POST {ONE}/restart": verb("Watch an ended job anew", "Job restarted", "A new cycle, with its own deliveries."),
    f"GET {ONE}/logs": Operation(
        summary="List the checks of a job",
        tag=JOBS,
        about="The newest first.",
        query=(*LOG_CHOICE, *PAGING),
        answers={200: Answer(envelope("LogPage", "logs", LogSerializer), listed("logs", LOG))},
    ),
    f"GET {ONE}/deliveries": Operation(
        summary="List what a job was to send",
        tag=JOBS,
        about="The newest first.",
        query=(parameter("status", "Only these.", example="failed", enum=DeliveryStatus.values), *PAGING),
        answers={200: DELIVERY_PAGE},
    ),
    f"POST {ONE}/webhook/test": Operation(
        summary="Send a test of a job's webhook",
        tag=JOBS,
        about="It is made at once; how it went is in the delivery.",
        answers={202: Answer(DeliverySerializer, {**DELIVERY, "test": True})},
        refuses=[409],
    ),
}

SCRIPT_CALLS: Table = {
    f"POST {ONE}/script/upload": Operation(
        summary="Upload a script",
        tag=SCRIPTS,
        about="A .tgz of at most 10 MB. A job that waited for its script is due.",
        bodies=(Body(takes({"file": BINARY}, required=["file"]), {"file": "script.tgz"}, FORM),),
        headers=(IF_MATCH,),
        refuses=[412],
        answers={
            200: Answer(
                says({"message": TEXT, "path": NULLABLE_TEXT, "sha256": TEXT}),
                {"message": "Script uploaded successfully", "path": f"{SHA256}.tgz", "sha256": SHA256},
            )
        },
    ),
    f"GET {ONE}/script/info": Operation(
        summary="Show where a job's script comes from",
        tag=SCRIPTS,
        about="`metadata` is the version that runs now, or null where there is none yet.",
        answers={
            200: Answer(
                inline_serializer(
                    "ScriptInfo",
                    {
                        "job_id": serializers.IntegerField(),
                        "source_type": serializers.CharField(),
                        "git_url": serializers.CharField(allow_null=True),
                        "git_branch": serializers.CharField(allow_null=True),
                        "file_path": serializers.CharField(allow_null=True),
                        "metadata": VersionSerializer(allow_null=True),
                    },
                ),
                {
                    "job_id": 7,
                    "source_type": "upload",
                    "git_url": None,
                    "git_branch": "main",
                    "file_path": f"{SHA256}.tgz",
                    "metadata": VERSION,
                },
            )
        },
    ),
    f"GET {ONE}/script/versions": Operation(
        summary="List the versions of a script",
        tag=SCRIPTS,
        about="The newest first.",
        query=PAGING,
        answers={200: Answer(envelope("VersionPage", "versions", VersionSerializer), listed("versions", VERSION))},
    ),
    f"POST {ONE}/script/git": Operation(
        summary="Set the repository of a job",
        tag=SCRIPTS,
        bodies=(
            Body(
                takes({"git_url": TEXT, "branch": NULLABLE_TEXT}, required=["git_url"]),
                {"git_url": "https://git.example.com/checks.git", "branch": "main"},
            ),
        ),
        headers=(IF_MATCH,),
        refuses=[412],
        answers={
            200: Answer(
                says({"message": TEXT, "url": TEXT, "branch": NULLABLE_TEXT}),
                {
                    "message": "Git source configured",
                    "url": "https://git.example.com/checks.git",
                    "branch": "main",
                },
            )
        },
    ),
    f"POST {ONE}/script/rollback": Operation(
        summary="Run an older version",
        tag=SCRIPTS,
        about="Until the job is unpinned.",
        bodies=(Body(takes({"version": VERSION_NUMBER}, required=["version"]), {"version": 1}),),
        headers=(IF_MATCH,),
        refuses=[412],
        answers={200: Answer(PINNED, {"message": "Pinned to version 1", "job_id": 7, "version": 1})},
    ),
    f"POST {ONE}/script/pin": Operation(
        summary="Stay with a version",
        tag=SCRIPTS,
        about="With the one that runs now, if none is named.",
        bodies=(Body(takes({"version": {**VERSION_NUMBER, "nullable": True}}), {"version": 1}),),
        headers=(IF_MATCH,),
        refuses=[412],
        answers={200: Answer(PINNED, {"message": "Pinned to version 1", "job_id": 7, "version": 1})},
    ),
    f"POST {ONE}/script/unpin": Operation(
        summary="Follow the newest version again",
        tag=SCRIPTS,
        bodies=(Body(takes({}), {}),),
        headers=(IF_MATCH,),
        refuses=[412],
        answers={200: Answer(DONE, {"message": "Unpinned", "job_id": 7})},
    ),
}

OPERATIONS: Table = {**JOB_CALLS, **schema_many.CALLS, **SCRIPT_CALLS}
