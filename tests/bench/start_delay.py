"""From due to the start of the script: jobs that fall due at random moments, on a system at rest.

The moment of the start is the launcher's, by the same machine's clock. Prints every percentile that is worth one.

    python -m tests.bench.start_delay [--jobs 20] [--seconds 60]
"""

import argparse
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.acceptance.instance import Instance, running, wait_for

SCRIPT = """import json, time
print(json.dumps({"status": "PENDING", "data": {"started": time.time()}}))"""


def delays(instance: Instance, *, jobs: int, seconds: float) -> list[float]:
    ids = [instance.create(SCRIPT, poll_interval_seconds=86400) for _ in range(jobs)]
    wait_for(lambda: checked(instance, ids, times=1), seconds=120, what="the first checks")
    due = {job_id: time.time() + 2 + random.uniform(0, seconds) for job_id in ids}
    for job_id, moment in due.items():
        at = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        instance.rows("UPDATE custom_check_jobs SET next_check_at = ? WHERE id = ?", at, job_id)
    wait_for(lambda: checked(instance, ids, times=2), seconds=seconds + 90, what="the second checks")
    return [instance.job(job_id)["last_check_data"]["started"] - moment for job_id, moment in due.items()]


def checked(instance: Instance, ids: list[int], *, times: int) -> bool:
    rows = instance.rows("SELECT count(*) AS n FROM custom_check_jobs WHERE check_count = ?", times)
    return int(rows[0]["n"]) == len(ids)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as instance:
        wait_for(instance.sweeping_pid, seconds=30, what="the sweep")
        time.sleep(2)
        found = sorted(delays(instance, jobs=options.jobs, seconds=options.seconds))
        p95 = statistics.quantiles(found, n=20, method="inclusive")[-1]
        print(f"start delay of {len(found)} jobs: median {statistics.median(found):.2f} s, p95 {p95:.2f} s")
        print(f"smallest {found[0]:.2f} s, largest {found[-1]:.2f} s (p95 under 1.5 s wanted)")


if __name__ == "__main__":
    main()
