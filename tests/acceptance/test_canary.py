"""A secret that a script shows in every way that is promised to be masked is found nowhere afterwards."""

import base64
import json
import subprocess
import urllib.parse

import pytest

from tests.acceptance.instance import Instance, Receiver, wait_for

pytestmark = pytest.mark.engine

CANARY = 'cnry-"7f3a/9+é=\\zz-end'
SCRIPT = """import base64, json, os, sys, time, urllib.parse
secret = os.environ["API_KEY"]
forms = [secret, base64.b64encode(secret.encode()).decode(), urllib.parse.quote(secret), json.dumps(secret)]
for form in forms:
    print("out:", form)
    print("err:", form, file=sys.stderr)
time.sleep(3)
shown = {"message": forms[0], "data": {form: forms for form in forms}, "state": {"s": secret}}
print(json.dumps({"status": "SUCCESS", **shown}))"""


def forms() -> list[str]:
    return [
        CANARY,
        base64.b64encode(CANARY.encode()).decode().rstrip("="),
        urllib.parse.quote(CANARY),
        urllib.parse.quote(CANARY, safe=""),
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(CANARY))[1:-1],
    ]


def hits(text: bytes) -> list[str]:
    return [form for form in forms() if form.encode() in text]


def test_a_canary_is_found_nowhere(instance: Instance, receiver: Receiver) -> None:
    secret = instance.client.post(
        "/api/admin/secrets", json={"name": "canary", "type": "generic", "value": CANARY}
    ).json()
    job_id = instance.create(
        SCRIPT,
        webhook_url=receiver.url,
        env_vars={"API_KEY": f"secret_ref:{secret['id']}"},
        webhook_headers={"X-Check": "done"},
        resource_limits={"memory_mb": 97},  # unlike others, so that no spare container is taken for it
    )
    (container,) = wait_for_container(instance)
    inspected = subprocess.run(["docker", "inspect", container], capture_output=True, check=True).stdout
    assert hits(inspected) == []
    job = instance.wait_for_status(job_id, "completed")
    wait_for(lambda: receiver.calls, seconds=10, what="the webhook")
    assert hits(receiver.calls[0][1]) == []
    assert "***" in json.dumps(job["last_check_data"])
    for path in ("", "/logs"):
        assert hits(instance.client.get(f"/api/custom-checks/{job_id}{path}").content) == []
    assert hits(instance.client.get("/api/admin/secrets").content) == []
    for kept in (path for path in instance.home.rglob("*") if path.is_file()):
        assert hits(kept.read_bytes()) == [], kept


def wait_for_container(instance: Instance) -> list[str]:
    wait_for(lambda: instance.containers(purpose="check"), seconds=20, what="the container")
    return instance.containers(purpose="check")
