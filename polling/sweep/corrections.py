"""A corrected setting helps at once: what failed under other settings is tried again as soon as a sweep starts."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from polling.jobs.scheduling import ScheduledJob
from polling.outbox.deliveries import Delivery
from polling.sweep.models import SweepLease

logger = structlog.get_logger(__name__)

PREFIX = "TECKO_"


def circumstances() -> str:
    """Stands for the values of all settings, and for the content of the file of authorities."""
    values = {name: getattr(settings, name) for name in sorted(dir(settings)) if name.startswith(PREFIX)}
    authorities = Path(settings.TECKO_CA_BUNDLE) if settings.TECKO_CA_BUNDLE else None
    content = authorities.read_bytes() if authorities and authorities.is_file() else b""
    return hashlib.sha256(json.dumps(values, default=str).encode() + content).hexdigest()


def take_up(host: str, kinds: Collection[type[ScheduledJob]]) -> None:
    """Where the settings are others than those of this host's last sweep, jobs that err are due now, and so are the
    calls that have been tried in vain.
    """
    found = circumstances()
    now = timezone.now()
    with transaction.atomic():
        lease = SweepLease.objects.select_for_update().filter(pk=host).exclude(circumstances=found)
        before = lease.values_list("circumstances", flat=True).first()
        lease.update(circumstances=found)
        if not before:
            return
        for kind in kinds:
            kind.hasten_erring(now)
        Delivery.objects.hasten(now)
    logger.info("settings_corrected", host=host)
