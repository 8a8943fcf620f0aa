"""From a script to a webhook, through a whole running TeckoChecker."""

import uuid
from pathlib import Path

import pytest

from tests.acceptance.instance import Instance, Receiver, wait_for

pytestmark = pytest.mark.engine

MOCK_CHECKER = Path(__file__).parents[2] / "examples" / "mock-checker" / "main.py"


def test_a_job_is_checked_until_its_task_is_done_and_then_one_webhook_arrives(
    instance: Instance, receiver: Receiver
) -> None:
    job_id = instance.create(
        MOCK_CHECKER.read_text(),
        name="mock",
        env_vars={"TASK_ID": "task-7", "CHECKS_UNTIL_COMPLETE": "3"},
        webhook_url=receiver.url,
    )
    job = instance.wait_for_status(job_id, "completed")
    wait_for(lambda: receiver.calls, seconds=10, what="the webhook")
    assert [log["status"] for log in instance.logs(job_id)] == ["pending", "pending", "success"]
    (payload,) = receiver.payloads()
    headers, _ = receiver.calls[0]
    assert headers["webhook-id"] == payload["delivery_id"] == str(uuid.UUID(payload["delivery_id"]))
    assert payload["job_id"] == job_id
    assert payload["job_name"] == "mock"
    assert payload["check_status"] == "SUCCESS"
    assert payload["check_data"] == job["last_check_data"]
    assert payload["check_data"]["task_id"] == "task-7"
    assert payload["execution_time_ms"] > 0
    assert payload["timestamp"].endswith("Z")
    assert payload["script_version"] == job["script_sha256"]


def test_a_failed_task_completes_the_job_too(instance: Instance, receiver: Receiver) -> None:
    job_id = instance.create('print(\'{"status": "FAILED", "message": "it broke"}\')', webhook_url=receiver.url)
    instance.wait_for_status(job_id, "completed")
    wait_for(lambda: receiver.calls, seconds=10, what="the webhook")
    assert receiver.payloads()[0]["check_status"] == "FAILED"
    assert receiver.payloads()[0]["check_message"] == "it broke"


def test_a_node_script_is_checked_as_well(instance: Instance) -> None:
    script = {"index.js": "console.log(JSON.stringify({status: 'SUCCESS', data: {node: process.version}}))"}
    job_id = instance.create(script, script_runtime="node")
    assert instance.wait_for_status(job_id, "completed")["last_check_data"]["node"].startswith("v20.")


def test_parameters_reach_the_script(instance: Instance) -> None:
    script = """import json, os
print(json.dumps({"status": "SUCCESS", "data": {name: os.environ[name] for name in ("CHECK_PARAMS", "BATCH")}}))"""
    job_id = instance.create(script, check_params={"BATCH": "b-1", "deep": [1, {"x": None}]})
    data = instance.wait_for_status(job_id, "completed")["last_check_data"]
    assert data == {"CHECK_PARAMS": '{"BATCH": "b-1", "deep": [1, {"x": null}]}', "BATCH": "b-1"}


def test_deleting_a_job_stops_its_container(instance: Instance) -> None:
    unlike_others = {"memory_mb": 96}  # so that no spare container is taken for it
    job_id = instance.create("import time; time.sleep(300)", timeout_seconds=600, resource_limits=unlike_others)
    wait_for(lambda: instance.containers(purpose="check"), seconds=15, what="the container")
    assert instance.client.delete(f"/api/custom-checks/{job_id}").status_code == 204
    wait_for(lambda: not instance.containers(purpose="check"), seconds=6, what="the container's end")


def test_a_test_over_the_api_runs_the_script_once_and_leaves_the_job_as_it_is(instance: Instance) -> None:
    job_id = instance.create('print(\'{"status": "SUCCESS", "data": {"n": 7}}\')', poll_interval_seconds=86400)
    instance.wait_for_status(job_id, "completed")
    before = instance.job(job_id)
    started = instance.client.post(f"/api/custom-checks/{job_id}/test")
    assert started.status_code == 202
    place = started.headers["location"]
    wait_for(lambda: instance.client.get(place).status_code == 200, seconds=30, what="the answer")
    answer = instance.client.get(place).json()
    assert (answer["status"], answer["script_output"]["data"], answer["test"]) == ("success", {"n": 7}, True)
    assert instance.job(job_id) == before
    assert len(instance.logs(job_id)) == 1
