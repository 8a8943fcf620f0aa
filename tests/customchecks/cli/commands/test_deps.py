from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from customchecks.dependencies.models import DependencySet, SetState
from customchecks.docker.engine import Engine
from customchecks.docker.volumes import Volumes
from tests.customchecks.cli.conftest import Ended

Here = Callable[..., Ended]


def made(key: str, **values: object) -> DependencySet:
    fields = {"engine": "e", "runtime": "python", "state": SetState.READY, "volume": f"volume-{key}", "size": 1024**2}
    return DependencySet.objects.create(**({"key": key, "last_used_at": timezone.now()} | fields | values))


@pytest.mark.django_db(transaction=True)
def test_sets_are_listed_the_last_used_first(here: Here) -> None:
    made("older", last_used_at=timezone.now() - timedelta(days=1))
    made("newer", state=SetState.FAILED, error="No.")
    assert [one["key"] for one in here("deps", "list", "--json").json] == ["newer", "older"]


@pytest.mark.engine
@pytest.mark.django_db(transaction=True)
def test_prune_forgets_failures_and_what_is_not_in_use(here: Here) -> None:
    engine = Engine()
    volumes = Volumes(engine, instance=settings.TECKO_INSTANCE)
    place = {"engine": volumes.engine_id()}
    past, later = (timezone.now() + timedelta(hours=hours) for hours in (-1, 1))
    made("failed", state=SetState.FAILED, retry_at=later, **place)
    made("unused", used_until=past, **place)
    made("used", used_until=later, **place)
    pruned = here("deps", "prune", "--all", "--json").json
    engine.close()
    assert pruned == {"removed": ["unused"], "failures_forgotten": ["failed"]}
    assert [one.key for one in DependencySet.objects.all()] == ["used"]
