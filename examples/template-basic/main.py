#!/usr/bin/env python3
"""The smallest check: read what to look at, look, print one line of JSON."""

import json
import os

task_id = os.environ["TASK_ID"]
params = json.loads(os.environ.get("CHECK_PARAMS", "{}"))
last = json.loads(os.environ.get("TECKO_STATE", "{}"))

# Look at your task here.

answer = {
    "status": "PENDING",  # or SUCCESS, FAILED, ERROR
    "message": "Still at work",
    "data": {"task_id": task_id, "params": params},
    "state": {"checks": last.get("checks", 0) + 1},  # the next check finds this in TECKO_STATE
}
print(json.dumps(answer))
