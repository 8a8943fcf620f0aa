"""Standard Webhooks signatures: who has a job's key can tell that a call is ours and unchanged."""

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)  # by the specification of Standard Webhooks


class BadKey(ValueError):
    """The message is safe to show: it quotes nothing of the key."""

    def __init__(self) -> None:
        super().__init__(
            f"A signing secret is {PREFIX} followed by the base64 of {KEY_BYTES.start} to {KEY_BYTES.stop - 1} bytes."
        )


def sign(body: bytes, *, message_id: str, at: datetime, keys: Iterable[str]) -> str:
    """The value of ``webhook-signature``: one signature for each key, in their order. Raises BadKey."""
    webhooks = [Webhook(_decoded(key)) for key in keys]
    return " ".join(webhook.sign(message_id, at, body.decode()) for webhook in webhooks)


def _decoded(key: str) -> bytes:
    try:
        decoded = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadKey from None
    if not key.startswith(PREFIX) or len(decoded) not in KEY_BYTES:
        raise BadKey
    return decoded
