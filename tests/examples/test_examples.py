"""The examples do what their READMEs say, run as processes with a service of our own instead of the real one."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from customchecks.archives.script_archive import from_directory, normalise
from customchecks.checking.verdict import parse

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = {"python": [sys.executable, "main.py"], "node": ["node", "index.js"]}


def check(example, *, runtime="python", **variables):
    env = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(SCRIPTS[runtime], cwd=EXAMPLES / example, env=env, capture_output=True, text=True)
    return parse(done.stdout, exit_code=done.returncode)


@pytest.mark.usefixtures("processes")
def test_the_mock_checkers_own_tests_pass(tmp_path):
    copy = shutil.copytree(EXAMPLES / "mock-checker", tmp_path / "mock-checker")
    own = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_checker.py"]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(own, cwd=copy, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_mock_checker_is_built_into_an_archive_that_we_take(tmp_path):
    copy = shutil.copytree(EXAMPLES / "mock-checker", tmp_path / "mock-checker")
    subprocess.run([copy / "build.sh"], check=True, capture_output=True, cwd=tmp_path)
    with (copy / "mock-checker.tgz").open("rb") as file:
        assert [member.path for member in normalise(file).files] == ["main.py"]


@pytest.mark.parametrize(
    ("example", "entrypoint"),
    [
        ("gemini-python", "main.py"),
        ("gemini-node", "index.js"),
        ("template-basic", "main.py"),
        ("template-api", "main.py"),
    ],
)
def test_each_example_is_an_archive_that_we_take(example, entrypoint):
    archive = from_directory(EXAMPLES / example)
    assert archive.has(entrypoint)
    assert archive.has("README.md")


def gemini(httpserver, runtime, batch, **variables):
    httpserver.expect_request("/v1beta/batches/b1", headers={"x-goog-api-key": "k"}).respond_with_json(batch)
    given = {"GEMINI_API_KEY": "k", "BATCH_ID": "b1", "GEMINI_URL": httpserver.url_for("/v1beta"), **variables}
    return check(f"gemini-{runtime}", runtime=runtime, **given)


def operation(state, **more):
    counts = {"requestCount": "4", "successfulRequestCount": "1", "pendingRequestCount": "3"}
    return {"name": "batches/b1", "metadata": {"state": state, "batchStats": counts}, **more}


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("runtime", ["python", "node"])
@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("BATCH_STATE_PENDING", "PENDING"),
        ("BATCH_STATE_RUNNING", "PENDING"),
        ("BATCH_STATE_SUCCEEDED", "SUCCESS"),
        ("BATCH_STATE_FAILED", "FAILED"),
        ("BATCH_STATE_CANCELLED", "FAILED"),
        ("BATCH_STATE_EXPIRED", "FAILED"),
        ("BATCH_STATE_NEW", "ERROR"),
    ],
)
def test_a_state_of_a_gemini_batch_is_a_verdict(httpserver, runtime, state, verdict):
    result = gemini(httpserver, runtime, operation(state, error={"message": "why"}))
    assert (result.verdict, result.data["state"], result.data["requestCount"]) == (verdict, state, 4)
    assert ("why" in result.message) == (verdict == "FAILED")


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("runtime", ["python", "node"])
def test_a_gemini_batch_shows_its_progress_and_takes_a_full_name(httpserver, runtime):
    assert gemini(httpserver, runtime, operation("BATCH_STATE_RUNNING"), BATCH_ID="batches/b1").progress == 25


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("runtime", ["python", "node"])
def test_gemini_without_an_answer_or_a_key_is_an_error(httpserver, runtime):
    refused = gemini(httpserver, runtime, {}, GEMINI_API_KEY="wrong")
    assert (refused.verdict, refused.cause) == ("ERROR", "script")
    assert "could not be asked" in refused.message
    assert "GEMINI_API_KEY" in check(f"gemini-{runtime}", runtime=runtime, BATCH_ID="b1").message


@pytest.mark.usefixtures("processes")
def test_the_basic_template_answers_and_counts():
    result = check("template-basic", TASK_ID="t", CHECK_PARAMS='{"a": 1}', TECKO_STATE='{"checks": 4}')
    assert (result.verdict, result.data, result.state) == (
        "PENDING",
        {"task_id": "t", "params": {"a": 1}},
        {"checks": 5},
    )
    assert check("template-basic", TASK_ID="t").state == {"checks": 1}


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(("status", "verdict"), [("completed", "SUCCESS"), ("failed", "FAILED"), ("queued", "PENDING")])
def test_the_api_template_maps_the_services_states(httpserver, status, verdict):
    httpserver.expect_request("/tasks/t", headers={"Authorization": "Bearer k"}).respond_with_json({"status": status})
    assert (
        check("template-api", API_KEY="k", TASK_ID="t", API_URL=httpserver.url_for("").rstrip("/")).verdict == verdict
    )


@pytest.mark.usefixtures("processes")
def test_the_api_template_reports_a_service_that_does_not_answer():
    assert check("template-api", API_KEY="k", TASK_ID="t", API_URL="http://127.0.0.1:1").cause == "script"


@contextmanager
def receiver():
    command = [sys.executable, EXAMPLES / "webhook-receiver" / "receiver.py", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().split()[-1].removesuffix("/webhook")
        finally:
            process.terminate()


@pytest.mark.usefixtures("processes")
def test_the_receiver_prints_lists_and_forgets_webhooks():
    with receiver() as (process, url):
        body = {"job_name": "Mock", "check_status": "SUCCESS"}
        requests.post(f"{url}/webhook", json=body, headers={"webhook-id": "w-1"}, timeout=5).raise_for_status()
        assert "job='Mock'  status='SUCCESS'  webhook-id='w-1'" in process.stdout.readline()
        requests.get(f"{url}/webhook?job_id=7&status=FAILED", timeout=5).raise_for_status()
        listed = requests.get(f"{url}/webhooks", timeout=5).json()
        assert [(one["method"], one["data"]) for one in listed["webhooks"]] == [
            ("POST", body),
            ("GET", {"job_id": "7", "status": "FAILED"}),
        ]
        requests.post(f"{url}/webhooks/clear", timeout=5).raise_for_status()
        assert requests.get(f"{url}/webhooks", timeout=5).json() == {"total": 0, "webhooks": []}


@pytest.mark.usefixtures("processes")
def test_the_receiver_refuses_what_is_not_json():
    with receiver() as (_, url):
        assert requests.post(f"{url}/webhook", data=b"{", timeout=5).status_code == 400
        assert json.loads(requests.get(f"{url}/webhooks", timeout=5).text)["total"] == 0
