"""What holds on SQLite holds on PostgreSQL too, and what only PostgreSQL can have: several hosts."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from teckochecker.setup import home
from tests import hosts

CLAIMS = [Path(__file__).parent / "jobs" / name for name in ("test_scheduling.py", "test_groups_at_once.py")]


def test_what_is_promised_of_claims_holds_on_postgresql(postgresql_url: str) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CLAIMS]
    done = subprocess.run(
        argv, env={**os.environ, "DATABASE_URL": postgresql_url}, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_hosts_on_one_database_check_each_job_once(postgresql_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(hosts.host(tmp_path / name, postgresql_url)) for name in ("a", "b"))
        first.prepare()
        second.variables.update(home.read_env(first.home / ".env"))
        for host in (first, second):
            host.start()
        leases = "SELECT count(*) FROM sweep_leases"
        hosts.wait_for(lambda: hosts.rows(postgresql_url, leases) == [(2,)], seconds=90, what="the sweep of each host")
        first.new_jobs(80, seconds=0.2)
        ended = "SELECT count(*) FROM kinds_scriptedjob WHERE status = 'completed'"
        hosts.wait_for(lambda: hosts.rows(postgresql_url, ended) == [(80,)], seconds=60, what="the last job's end")
    assert hosts.rows(postgresql_url, "SELECT count(*), count(DISTINCT job_id) FROM kinds_scriptedlog") == [(80, 80)]
