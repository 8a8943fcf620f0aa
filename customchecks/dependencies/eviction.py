"""Makes room in the cache of dependencies: what was not used for the longest time goes, nothing that is in use."""

from datetime import datetime

import structlog
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from customchecks.dependencies.models import DependencySet, SetState
from customchecks.docker.volumes import Volumes

logger = structlog.get_logger(__name__)


def make_room(volumes: Volumes, *, limit_mb: int | None = None) -> list[str]:
    """Down to ``TECKO_DEPS_CACHE_MB`` or the given limit; returns the keys that went.

    Also removes volumes that no set knows, such as a dead installer's. Raises EngineError.
    """
    limit = (settings.TECKO_DEPS_CACHE_MB if limit_mb is None else limit_mb) * 1024 * 1024
    ready = DependencySet.objects.ready(volumes.engine_id())
    total = ready.aggregate(total=Sum("size"))["total"] or 0
    gone = []
    now = timezone.now()
    for candidate in ready.unused(now).order_by("last_used_at"):
        if total <= limit:
            break
        if _remove(candidate, volumes, now):
            total -= candidate.size
            gone.append(candidate.key)
    _remove_unknown(volumes)
    return gone


def forget_failures(volumes: Volumes) -> list[str]:
    """What has failed is tried again by the next check. Returns the keys. Raises EngineError."""
    failed = DependencySet.objects.filter(state=SetState.FAILED, engine=volumes.engine_id())
    keys = list(failed.values_list("key", flat=True))
    failed.filter(key__in=keys).delete()
    return keys


def _remove(candidate: DependencySet, volumes: Volumes, now: datetime) -> bool:
    """The row first, and only where no check has begun to use it: nobody can mount the volume from then on."""
    unused = DependencySet.objects.filter(key=candidate.key, volume=candidate.volume, state=SetState.READY).unused(now)
    deleted, _ = unused.delete()
    if deleted:
        volumes.remove(candidate.volume)
        logger.info("dependencies_evicted", key=candidate.key, size=candidate.size)
    return bool(deleted)


def _remove_unknown(volumes: Volumes) -> None:
    """A set names its volume before it creates it, so what none names is nobody's."""
    present = volumes.names()
    known = set(DependencySet.objects.filter(volume__in=present).values_list("volume", flat=True))
    for name in present:
        if name not in known:
            volumes.remove(name)
