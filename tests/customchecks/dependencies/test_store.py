"""Who installs, who waits, and what is left when somebody dies."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from customchecks.dependencies import eviction
from customchecks.dependencies.installation import Installation
from customchecks.dependencies.models import DependencySet, SetState
from customchecks.dependencies.prepare import Dependencies
from customchecks.dependencies.store import ObtainedSet, Store
from customchecks.sandbox.sandbox import Sandbox
from polling.base.results import Cause
from tests.api.live import database_url
from tests.customchecks.dependencies.conftest import Box
from tests.security import boxes

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

WANTED = {"requirements.txt": "iniconfig\n"}
INSTALLING = """
import sys, django
django.setup()
from tests.customchecks.dependencies.conftest import Box
box = Box(instance=sys.argv[1])
box.prepare({"requirements.txt": "iniconfig\\n"})
"""
# Each of the threads of a worker process says what it got, and whether it was the one that installed
PREPARING = """
import json, sys, django
from concurrent.futures import ThreadPoolExecutor
django.setup()
from django.db import connection
from tests.customchecks.dependencies.conftest import Box
box = Box(instance=sys.argv[1])
def prepare(_):
    try:
        prepared = box.prepare({"requirements.txt": "iniconfig\\n"})
        return prepared.volumes, "install" in prepared.timings
    finally:
        connection.close()
sys.stdin.readline()
with ThreadPoolExecutor(25) as pool:
    print(json.dumps(list(pool.map(prepare, range(25)))))
"""


def obtain(
    box: Box, install, *, key: str = "a" * 64, store: Store | None = None, seconds: float = 60, circumstances: str = ""
) -> ObtainedSet:
    found = store or Store(box.sandbox.volumes)
    return found.obtain(
        key, runtime="python", check_id="", seconds=seconds, install=install, circumstances=circumstances
    )


def works(volume: str) -> Installation:
    return Installation(size=1024 * 1024)


def never(volume: str) -> Installation:
    raise AssertionError("installed again")


def set_of(key: str, **values: object) -> DependencySet:
    DependencySet.objects.filter(key=key).update(**values)
    return DependencySet.objects.get(key=key)


@pytest.mark.network
def test_fifty_checks_of_two_processes_that_need_a_new_set_cause_one_installation(box: Box) -> None:
    workers = [worker(PREPARING, box) for _ in range(2)]
    for process in workers:
        process.stdin.write("now\n")
        process.stdin.flush()
    answers = [answer for process in workers for answer in json.loads(process.communicate(timeout=120)[0])]
    assert len(answers) == 50
    assert [volume for [[volume, *_]], _ in answers] == box.volumes() * 50
    assert [installed for _, installed in answers].count(True) == 1


def worker(code: str, box: Box) -> subprocess.Popen[str]:
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "teckochecker.settings",
        "DATABASE_URL": database_url(),
        "TECKO_LOG_LEVEL": "ERROR",
    }
    argv = [sys.executable, "-c", code, box.instance]
    return subprocess.Popen(
        argv, env=environ, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.network
def test_an_installer_that_is_killed_leaves_nothing_that_counts(box: Box) -> None:
    engine = box.sandbox._engine
    with worker(INSTALLING, box) as dying:
        boxes.wait_for(lambda: boxes.containers(engine, box.instance, purpose="install"))
        dying.send_signal(signal.SIGKILL)
    left = DependencySet.objects.get()
    assert (left.state, box.volumes()) == (SetState.INSTALLING, [left.volume])

    boxes.wait_for(lambda: all(one["State"] != "running" for one in boxes.containers(engine, box.instance)))
    set_of(left.key, lease_until=timezone.now())
    prepared = box.prepare(WANTED)
    assert prepared.timings["install"] > 0
    box.sandbox.reap((), now=timezone.now())
    eviction.make_room(box.sandbox.volumes)
    assert box.volumes() == [prepared.volumes[0][0]]
    assert left.volume not in box.volumes()


def test_a_volume_that_somebody_removed_is_made_again(box: Box) -> None:
    first = obtain(box, works)
    box.sandbox.volumes.remove(first.volume)
    second = obtain(box, works)
    assert first.volume != second.volume
    assert box.volumes() == [second.volume]


def test_a_check_does_not_wait_for_ever(box: Box) -> None:
    store, go_on = Store(box.sandbox.volumes), threading.Event()

    def slow(volume: str) -> Installation:
        go_on.wait(30)
        return works(volume)

    def first() -> ObtainedSet:
        try:
            return obtain(box, slow, store=store)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        installing = pool.submit(first)
        boxes.wait_for(box.volumes)
        in_line = obtain(box, never, store=store, seconds=0.2)
        elsewhere = obtain(box, never, seconds=0.2)
        go_on.set()
        assert installing.result().volume
    assert in_line.cause is elsewhere.cause is Cause.DEPS_FAILED
    assert "still being installed" in in_line.message


@pytest.mark.parametrize("cause", [None, Cause.DEPS_FAILED, Cause.RUNNER_LOST])
def test_an_installer_that_lost_its_lease_does_not_replace_the_other_ones_work(box: Box, cause: Cause | None) -> None:
    key = "b" * 64

    def slow(volume: str) -> Installation:
        set_of(key, lease_until=timezone.now() - timedelta(seconds=1))
        taken.append(obtain(box, works, key=key))
        return Installation(cause=cause, message="No.")

    taken: list[ObtainedSet] = []
    late = obtain(box, slow, key=key)
    assert (late.cause, late.volume) == (cause, "" if cause else taken[0].volume)
    assert obtain(box, never, key=key).volume == taken[0].volume
    assert box.volumes() == [taken[0].volume]


def test_failures_are_tried_again_after_pauses_that_double(box: Box) -> None:
    def fails(volume: str) -> Installation:
        return Installation(cause=Cause.DEPS_FAILED, message="No.", log="why")

    pauses = []
    for _ in range(3):
        obtain(box, fails)
        failed = DependencySet.objects.get()
        pauses.append(round((failed.retry_at - timezone.now()) / timedelta(minutes=1)))
        assert obtain(box, never).message.startswith("No. Until ")
        set_of(failed.key, retry_at=timezone.now())
    assert pauses == [5, 10, 20]
    assert obtain(box, works).volume


@pytest.mark.parametrize("cause", [Cause.ENGINE_UNAVAILABLE, Cause.IMAGE_MISSING, Cause.RUNNER_LOST])
def test_what_is_not_the_sets_fault_is_not_remembered(box: Box, cause: Cause) -> None:
    assert obtain(box, lambda _: Installation(cause=cause, message="x")).cause is cause
    assert obtain(box, works).volume


def test_a_failure_ends_when_the_settings_change(box: Box) -> None:
    def fails(volume: str) -> Installation:
        return Installation(cause=Cause.DEPS_FAILED, message="No.")

    pauses = []
    for circumstances in ("one", "one", "other"):
        obtain(box, fails, circumstances=circumstances)
        assert obtain(box, never, circumstances=circumstances).message.startswith("No. Until ")
        failed = DependencySet.objects.get()
        pauses.append(round((failed.retry_at - timezone.now()) / timedelta(minutes=1)))
        if circumstances == "one":
            set_of(failed.key, retry_at=timezone.now() if pauses == [5] else failed.retry_at)
    assert pauses == [5, 10, 5]
    assert obtain(box, works, circumstances="third").volume


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TECKO_NPM_REGISTRY", "https://npm.example/"),
        ("TECKO_DEPS_CACHE_MB", 4999),
        ("TECKO_DEPS_INSTALL_SECONDS", 299),
    ],
)
def test_every_setting_that_an_installation_depends_on_is_one_of_its_circumstances(
    box: Box, settings: Any, name: str, value: object
) -> None:
    before = box.dependencies.circumstances()
    setattr(settings, name, value)
    assert box.dependencies.circumstances() != before


@pytest.mark.parametrize("values", [{"ca_bundle": b"x"}, {"egress_allow": ["10.1.2.0/24"]}, {"subnet": "10.9.0.0/24"}])
def test_whom_a_container_reaches_and_trusts_is_one_of_the_circumstances(values: dict[str, Any]) -> None:
    sandboxes = [Sandbox(instance="circumstances", **given) for given in ({}, values)]
    assert len({Dependencies(sandbox).circumstances() for sandbox in sandboxes}) == 2
    for sandbox in sandboxes:
        sandbox.close()


def test_the_longest_unused_set_goes_first_and_none_that_is_in_use(box: Box) -> None:
    now = timezone.now()
    for age, key in enumerate("abcd"):
        obtain(box, works, key=key)
        free = now - timedelta(seconds=1) if key != "d" else now + timedelta(minutes=1)
        set_of(key, last_used_at=now - timedelta(hours=age), used_until=free)
    assert eviction.make_room(box.sandbox.volumes, limit_mb=2) == ["c", "b"]
    assert set(box.volumes()) == set(DependencySet.objects.values_list("volume", flat=True))
    assert set(DependencySet.objects.values_list("key", flat=True)) == {"a", "d"}


def test_a_check_keeps_its_set_until_it_must_have_ended(box: Box) -> None:
    obtain(box, works, seconds=300)
    assert eviction.make_room(box.sandbox.volumes, limit_mb=0) == []
    assert DependencySet.objects.get().used_until > timezone.now() + timedelta(seconds=300)


def test_a_set_that_was_used_a_moment_ago_is_only_read(box: Box, django_assert_num_queries: Any) -> None:
    volume = obtain(box, works, seconds=300).volume
    with django_assert_num_queries(1):
        assert obtain(box, works, seconds=300).volume == volume


def test_a_longer_check_keeps_its_set_longer_and_a_shorter_one_does_not_shorten_that(box: Box) -> None:
    key = "a" * 64
    obtain(box, works, seconds=60)
    obtain(box, works, seconds=3600)
    long = set_of(key).used_until
    assert long > timezone.now() + timedelta(seconds=3600)
    set_of(key, last_used_at=timezone.now() - timedelta(minutes=2))
    obtain(box, works, seconds=60)
    again = DependencySet.objects.get()
    assert again.used_until == long
    assert again.last_used_at > timezone.now() - timedelta(minutes=1)


def test_a_volume_that_a_container_still_mounts_stays_until_the_next_time(box: Box) -> None:
    volume = obtain(box, works).volume
    request = boxes.request("import time; time.sleep(60)", volumes=((volume, "/deps", False),))
    set_of("a" * 64, used_until=timezone.now())
    with boxes.running(box.sandbox, request, engine=box.sandbox._engine, instance=box.instance):
        eviction.make_room(box.sandbox.volumes, limit_mb=0)
        assert box.volumes() == [volume]
    eviction.make_room(box.sandbox.volumes, limit_mb=0)
    assert box.volumes() == []
