"""The process that runs the sweep is killed while checks run."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.instance import Instance, Receiver, running, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

# Long in its first check, which the kill ends; done in its second
SCRIPT = """import json, os, time
time.sleep(120 if time.time() < float(os.environ["LONG_UNTIL"]) else 0)
print(json.dumps({"status": "SUCCESS"}))"""


def start_checks(instance: Instance, receiver: Receiver, *, long_until: float) -> list[int]:
    env = {"LONG_UNTIL": str(long_until)}
    return [instance.create(SCRIPT, webhook_url=receiver.url, env_vars=env) for _ in range(5)]


def test_a_killed_sweep_loses_no_answer_and_doubles_none(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path) as instance:
        wait_for(instance.sweeping_pid, seconds=30, what="the sweep")
        jobs = start_checks(instance, receiver, long_until=time.time() + 20)
        wait_for(lambda: len(instance.containers()) == 5, seconds=20, what="five containers")
        killed = instance.sweeping_pid()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        gone = wait_for(lambda: not running_containers(instance), seconds=2, what="the end of the containers")
        again = wait_for(lambda: all(finished(instance, job) for job in jobs), seconds=90, what="every job's end")
        print(f"containers gone after {gone:.1f} s, every job ended {again:.1f} s after the kill")
        wait_for(lambda: len(receiver.calls) >= 5, seconds=20, what="the webhooks")
        for job in jobs:
            assert Counter(log["status"] for log in instance.logs(job))["success"] == 1
        ids = {(payload["job_id"], payload["delivery_id"]) for payload in receiver.payloads()}
        assert len(ids) == len(jobs)


def finished(instance: Instance, job_id: int) -> bool:
    return instance.job(job_id)["status"] == "completed"


def running_containers(instance: Instance) -> list[str]:
    return instance.containers(all_states=False)


def test_a_stopped_server_ends_within_45_seconds_and_its_jobs_are_due_again(tmp_path: Path, receiver: Receiver) -> None:
    with running(tmp_path) as instance:
        job = instance.create("import time; time.sleep(100)", timeout_seconds=300)
        wait_for(instance.containers, seconds=30, what="the container")
        assert instance.stop() < 45
        assert instance.containers() == []
        (row,) = instance.rows("SELECT claim_id, status FROM custom_check_jobs WHERE id = ?", job)
        assert (row["claim_id"], row["status"]) == (None, "active")
