"""Runs main.py as TeckoChecker does: as a process, told everything by variables, heard on stdout."""

import json
import os
import subprocess
import sys
from pathlib import Path

MAIN = Path(__file__).with_name("main.py")


def run(state=None, **variables):
    env = {"PATH": os.environ["PATH"], **variables}
    if state is not None:
        env["TECKO_STATE"] = json.dumps(state)
    done = subprocess.run([sys.executable, MAIN], env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_to_the_end(**variables):
    answers = [run(**variables)]
    while answers[-1]["status"] == "PENDING":
        answers.append(run(state=answers[-1]["state"], **variables))
    return answers


def test_the_first_check_is_pending():
    answer = run(TASK_ID="t-1")
    assert answer["status"] == "PENDING"
    assert answer["data"] == {"task_id": "t-1", "progress": 25, "checks_performed": 1}


def test_the_fourth_check_succeeds():
    answers = run_to_the_end()
    assert [answer["status"] for answer in answers] == ["PENDING", "PENDING", "PENDING", "SUCCESS"]
    assert answers[-1]["data"]["result_count"] == 42


def test_the_number_of_checks_can_be_set():
    assert len(run_to_the_end(CHECKS_UNTIL_COMPLETE="2")) == 2


def test_it_can_fail():
    last = run_to_the_end(CHECKS_UNTIL_COMPLETE="1", SHOULD_FAIL="true")[-1]
    assert last["status"] == "FAILED"
    assert last["data"]["error_code"] == "MOCK_FAILURE"
