"""A host whose sweep was seen just now, and what it has reported."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from polling.sweep.models import SweepLease, this_place


def on_duty(*faults: dict[str, Any], host: str = "", seconds_ago: float = 0, place: str = "") -> SweepLease:
    seen = timezone.now() - timedelta(seconds=seconds_ago)
    columns = {"sweep_id": uuid4(), "heartbeat_at": seen, "report": {"faults": list(faults)}}
    host = host or settings.TECKO_INSTANCE
    lease, _ = SweepLease.objects.update_or_create(host=host, defaults=columns | {"place": place or this_place()})
    return lease
