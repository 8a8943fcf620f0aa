"""What the calls on groups look like from outside."""

from typing import Any

from polling.jobs.groups import GroupStatus
from polling.site.deliveries_api import DeliverySerializer
from polling.site.group_api import GroupFieldsSerializer, GroupSerializer, GroupWithAnswersSerializer
from polling.site.schema import DELIVERY, PAGING
from teckochecker.kit.openapi import WARNING, Answer, Body, Operation, Table, envelope, listed, parameter

TAG = "Groups"
NEW_GROUP: dict[str, Any] = {
    "name": "all providers",
    "members": [{"kind": "custom", "id": 7}, {"kind": "openai", "id": 3}],
    "rule": "all",
    "deadline_seconds": 86400,
    "webhook_url": "https://hooks.example.com/batches",
}
CUSTOM = {"kind": "custom", "id": 7, "name": "gemini batch", "status": "completed", "ended": True, "verdict": "SUCCESS"}
OPENAI = {"kind": "openai", "id": 3, "name": "nightly batch", "status": "active", "ended": False, "verdict": "PENDING"}
GROUP: dict[str, Any] = {
    "id": 2,
    **NEW_GROUP,
    "members": [CUSTOM, OPENAI],
    "count": None,
    "webhook_method": "POST",
    "webhook_headers": None,
    "webhook_query_params": None,
    "webhook_signing_secrets": [],
    "status": "active",
    "failure_cause": "",
    "cycle": 1,
    "started_at": "2026-01-31T22:00:00.000000Z",
    "deadline_at": "2026-02-01T22:00:00.000000Z",
    "created_at": "2026-01-31T22:00:00.000000Z",
    "completed_at": None,
}
ANSWERED = {
    **GROUP,
    "members": [
        {**CUSTOM, "message": "400 of 400 done", "data": {"output": "files/out-17"}, "cause": None},
        {**OPENAI, "message": "1 of 1 batches have not ended.", "data": {"batches": {}}, "cause": None},
    ],
}
GROUP_ANSWER = Answer(GroupWithAnswersSerializer, ANSWERED)
MADE = Answer(GroupWithAnswersSerializer, ANSWERED, headers=WARNING)
CHANGE = Operation(
    summary="Change a group",
    tag=TAG,
    about="Fields that are not named stay as they are. It holds for the current cycle: the group may end at once.",
    bodies=(Body(GroupFieldsSerializer(partial=True), {"rule": "any"}),),
    answers={200: Answer(GroupWithAnswersSerializer, {**ANSWERED, "rule": "any"})},
)

OPERATIONS: Table = {
    "GET /api/groups": Operation(
        summary="List groups",
        tag=TAG,
        about="The oldest first.",
        query=(
            parameter("status", "Only those in this status.", example="active", enum=GroupStatus.values),
            *PAGING,
        ),
        answers={200: Answer(envelope("GroupPage", "groups", GroupSerializer), listed("groups", GROUP))},
    ),
    "POST /api/groups": Operation(
        summary="Wait for several jobs together",
        tag=TAG,
        about="Members that have ended count. When the rule is met or the deadline has passed, the webhook is called.",
        bodies=(Body(GroupFieldsSerializer, NEW_GROUP),),
        answers={201: MADE},
    ),
    "GET /api/groups/{id}": Operation(
        summary="Show a group with what is known of its members", tag=TAG, answers={200: GROUP_ANSWER}
    ),
    "PUT /api/groups/{id}": CHANGE,
    "PATCH /api/groups/{id}": CHANGE,
    "DELETE /api/groups/{id}": Operation(
        summary="Delete a group", tag=TAG, about="Its jobs stay.", answers={204: Answer()}
    ),
    "POST /api/groups/{id}/restart": Operation(
        summary="Wait for a group's jobs anew",
        tag=TAG,
        about="Members that have ended are restarted, deleted ones are left out. Keboola jobs and webhooks that they "
        "have at their end are started and called again. This call does not ask; the command line and the admin do.",
        answers={200: GROUP_ANSWER},
        refuses=[409],
    ),
    "POST /api/groups/{id}/webhook/test": Operation(
        summary="Send a test to a group's webhook",
        tag=TAG,
        about="With the members as they are now.",
        answers={202: Answer(DeliverySerializer, {**DELIVERY, "job_kind": "group", "event": "group.test"})},
        refuses=[409],
    ),
}
