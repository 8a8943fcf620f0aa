"""System checks: TECKO_KEYS holds real keys, or nothing starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from secrets_app import crypto


def keys(**_: Any) -> list[CheckMessage]:
    return [
        Error(fault.problem, hint=fault.remedy, obj="TECKO_KEYS", id=f"secrets_app.E{fault.number:03}")
        for fault in crypto.faults(settings.TECKO_KEYS, secret_key=str(settings.TECKO_SECRET_KEY))
    ]
