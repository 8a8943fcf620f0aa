"""Scripts for several providers, one aggregated call: through a whole running TeckoChecker."""

from typing import Any

import pytest

from tests.acceptance.instance import Instance, Receiver, wait_for

pytestmark = pytest.mark.engine

SCRIPT = """import json, os
print(json.dumps({"status": os.environ["VERDICT"], "data": {"provider": os.environ["PROVIDER"]}}))"""
UNDER_WAY = """print('{"status": "PENDING", "data": {"progress": 40}}')"""
VERDICTS = {"openai": "SUCCESS", "anthropic": "FAILED", "gemini": "SUCCESS"}


def make_group(instance: Instance, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    jobs = [
        instance.create(SCRIPT, name=provider, env_vars={"PROVIDER": provider, "VERDICT": verdict})
        for provider, verdict in VERDICTS.items()
    ]
    members = [{"kind": "custom", "id": job} for job in jobs]
    answer = instance.client.post(
        "/api/groups", json={"name": "providers", "members": members, "webhook_url": receiver.url, **fields}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_jobs_of_several_providers_end_in_one_call(instance: Instance, receiver: Receiver) -> None:
    group = make_group(instance, receiver)
    wait_for(lambda: receiver.calls, seconds=60, what="the group's call")
    (body,) = receiver.payloads()
    told = {member["name"]: (member["verdict"], member["data"]["provider"]) for member in body["members"]}
    assert told == {provider: (verdict, provider) for provider, verdict in VERDICTS.items()}
    assert (body["group_id"], body["status"], body["succeeded"]) == (group["id"], "completed", 2)


def test_a_deadline_ends_a_group_of_jobs_that_do_not(instance: Instance, receiver: Receiver) -> None:
    job = instance.create('print(\'{"status": "PENDING", "data": {"progress": 40}}\')', poll_interval_seconds=3600)
    wait_for(lambda: instance.logs(job), seconds=60, what="the first check")
    body = {"name": "late", "members": [{"kind": "custom", "id": job}], "deadline_seconds": 10}
    instance.client.post("/api/groups", json={**body, "webhook_url": receiver.url})
    waited = wait_for(lambda: receiver.calls, seconds=60, what="the group's call")
    (payload,) = receiver.payloads()
    assert (payload["status"], payload["cause"]) == ("failed", "deadline")
    assert (payload["members"][0]["verdict"], payload["members"][0]["data"]) == ("PENDING", {"progress": 40})
    print(f"a deadline of 10 s was told of after {waited:.1f} s")
