"""What the calls of ``/api/admin/secrets`` look like from outside."""

from secrets_app.api import SecretSerializer, SecretValueSerializer
from teckochecker.kit.openapi import Answer, Body, Operation, Table, envelope, listed

TAG = "Secrets"
PATH = "/api/admin/secrets"
SECRET = {"id": 1, "name": "exports", "type": "generic", "created_at": "2026-01-31T21:58:00.000000Z"}
VALUE = "the-secret-itself"

OPERATIONS: Table = {
    f"GET {PATH}": Operation(
        summary="List secrets",
        tag=TAG,
        about="All of them, without their values.",
        answers={
            200: Answer(
                envelope("SecretList", "secrets", SecretSerializer, paged=False),
                listed("secrets", SECRET, limit=None),
            )
        },
    ),
    f"POST {PATH}": Operation(
        summary="Store a secret",
        tag=TAG,
        about="Its value never comes out again. 409 for a name that is taken.",
        bodies=(Body(SecretSerializer, {"name": "exports", "type": "generic", "value": VALUE}),),
        answers={201: Answer(SecretSerializer, SECRET)},
        refuses=[409],
    ),
    f"GET {PATH}/{{id}}": Operation(
        summary="Show a secret", tag=TAG, about="Never its value.", answers={200: Answer(SecretSerializer, SECRET)}
    ),
    f"PUT {PATH}/{{id}}": Operation(
        summary="Give a secret another value",
        tag=TAG,
        about="Jobs use it from their next check on.",
        bodies=(Body(SecretValueSerializer, {"value": VALUE}),),
        answers={200: Answer(SecretSerializer, SECRET)},
    ),
    f"DELETE {PATH}/{{id}}": Operation(
        summary="Delete a secret",
        tag=TAG,
        about="409 while jobs use it; the answer names them.",
        answers={204: Answer()},
        refuses=[409],
    ),
}
