"""One call for each cycle of a group: also when its members end at the same instant, and whatever dies."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from polling.base.results import CheckResult, Verdict
from polling.jobs import claims, groups, scheduling
from polling.jobs.groups import GroupStatus
from polling.outbox.deliveries import Delivery
from tests.kinds.models import ScriptedJob
from tests.polling.jobs.grouped import make_group, make_member, sent

pytestmark = pytest.mark.django_db(transaction=True)

SUCCESS = CheckResult(verdict=Verdict.SUCCESS)
MEMBERS = 8


def taken() -> list[scheduling.Claim]:
    held = claims.claim_due(ScriptedJob, host="test", now=timezone.now(), fits=lambda _: True)
    return [claim for _, claim in held]


def in_a_thread(action: Any, barrier: threading.Barrier) -> None:
    try:
        barrier.wait(30)
        action()
    finally:
        connection.close()


def at_once(*actions: Any) -> None:
    barrier = threading.Barrier(len(actions))
    with ThreadPoolExecutor(len(actions)) as threads:
        for done in [threads.submit(in_a_thread, action, barrier) for action in actions]:
            done.result(60)


def record_all() -> list[Any]:
    now = timezone.now()
    return [lambda claim=claim: claims.record(claim, SUCCESS, now=now) for claim in taken()]


@pytest.mark.parametrize("rule", [{"rule": "all"}, {"rule": "any"}, {"rule": "count", "count": 5}], ids=str)
def test_members_that_end_in_the_same_instant_make_one_call(rule: dict[str, Any]) -> None:
    group = make_group(*(make_member() for _ in range(MEMBERS)), **rule)
    at_once(*record_all())
    (body,) = sent(group)
    assert body["ended"] >= body["needed"]
    assert group.status == GroupStatus.COMPLETED


def test_the_last_end_and_the_deadline_in_the_same_instant_make_one_call() -> None:
    group = make_group(*(make_member() for _ in range(MEMBERS)), deadline_seconds=10)
    passed = group.deadline_at + timedelta(seconds=1)
    at_once(*record_all(), *[lambda: groups.enforce_deadlines(now=passed)] * 4)
    assert len(sent(group)) == 1
    assert group.status != GroupStatus.ACTIVE


def test_jobs_that_end_while_groups_of_them_are_made_are_not_missed() -> None:
    members = [make_member() for _ in range(4)]
    made: list[Any] = []
    making = [lambda: made.append(make_group(*members)), lambda: made.append(make_group(*reversed(members)))]
    make_group(make_member())  # makes the user that all of them act as
    at_once(*record_all(), *making)
    assert [len(sent(group)) for group in made] == [1, 1]


def test_members_that_end_and_are_deleted_in_the_same_instant_make_one_call() -> None:
    staying, going = [make_member() for _ in range(4)], [make_member(next_check_at=None) for _ in range(4)]
    group = make_group(*staying, *going)
    at_once(*record_all(), *(job.delete for job in going))
    (body,) = sent(group)
    assert [member["status"] for member in body["members"]] == ["completed"] * 4 + ["deleted"] * 4


RECORD = """
import sys, time, uuid, django
django.setup()
from django.utils import timezone
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims, scheduling
from tests.kinds.models import ScriptedJob
job, claim_id, at = int(sys.argv[1]), uuid.UUID(sys.argv[2]), float(sys.argv[3])
now = timezone.now()
claim = scheduling.Claim(ScriptedJob, job, claim_id, claim_id, None, now, now)
ScriptedJob.objects.exists()
time.sleep(max(0, at - time.time()))
print(claims.record(claim, CheckResult(verdict=Verdict.SUCCESS), now=now))
"""


def recording(claim: scheduling.Claim, *, at: float = 0, crash: str = "") -> "subprocess.Popen[str]":
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor != "sqlite":
        login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        url = f"postgres://{login}/{database['NAME']}"
    env = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings", "TECKO_CRASH_AT": crash}
    words = [sys.executable, "-c", RECORD, str(claim.job_id), str(claim.claim_id), str(at)]
    return subprocess.Popen(
        words, cwd=settings.BASE_DIR, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.usefixtures("processes")
def test_processes_whose_members_end_in_the_same_instant_make_one_call() -> None:
    group = make_group(*(make_member() for _ in range(4)))
    instant = time.time() + 6
    running = [recording(claim, at=instant) for claim in taken()]
    assert [process.communicate(timeout=60)[0].strip() for process in running] == ["True"] * 4
    assert len(sent(group)) == 1


@pytest.mark.usefixtures("processes")
def test_a_process_that_is_killed_before_its_end_is_stored_makes_no_half_of_a_call() -> None:
    member = make_member()
    group = make_group(member)
    (claim,) = taken()
    killed = recording(claim, crash="group_ended")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert (sent(group), group.status) == ([], GroupStatus.ACTIVE)
    again = recording(claim)  # its claim was not given back
    assert again.communicate(timeout=60)[0].strip() == "True"
    assert len(sent(group)) == 1
    assert Delivery.objects.filter(job_kind="scripted").count() == 1
