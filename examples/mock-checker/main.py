#!/usr/bin/env python3
"""A check that needs nothing: it counts its own runs and says SUCCESS, or FAILED, after a few of them.

Every check runs in a new container, so the count travels in ``state``: what one check prints there,
the next one finds in the variable TECKO_STATE.
"""

import json
import os
from datetime import UTC, datetime


def main() -> None:
    task_id = os.environ.get("TASK_ID", "mock-task")
    needed = int(os.environ.get("CHECKS_UNTIL_COMPLETE", "4"))
    should_fail = os.environ.get("SHOULD_FAIL", "false").lower() == "true"

    state = json.loads(os.environ.get("TECKO_STATE") or "{}")
    count = state.get("checks", 0) + 1
    answer = verdict(task_id, count=count, needed=needed, should_fail=should_fail)
    print(json.dumps({**answer, "state": {"checks": count}}))


def verdict(task_id: str, *, count: int, needed: int, should_fail: bool) -> dict:
    if count < needed:
        progress = 100 * count // needed
        return {
            "status": "PENDING",
            "message": f"Check {count} of {needed}",
            "data": {"task_id": task_id, "progress": progress, "checks_performed": count},
            "progress": progress,
        }
    if should_fail:
        return {
            "status": "FAILED",
            "message": "The task failed, as SHOULD_FAIL asked for",
            "data": {"task_id": task_id, "error_code": "MOCK_FAILURE"},
        }
    return {
        "status": "SUCCESS",
        "message": "The task is complete",
        "data": {"task_id": task_id, "completed_at": datetime.now(UTC).isoformat(), "result_count": 42},
        "progress": 100,
    }


if __name__ == "__main__":
    main()
