"""Whole checks of a job whose script is in a private repository, with nothing but the operator's settings."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from customchecks.checking.runner import CustomCheckRunner
from customchecks.checking.script_source import Sources
from customchecks.git.repositories import Repositories
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.base.results import Verdict
from polling.jobs import claims
from secrets_app.models import Secret
from tests.customchecks.git.server import GitServer, Origin
from tests.customchecks.git.test_repositories import SCRIPT, TOKEN, basic, command_lines
from tests.factories import make_secret
from tests.security import boxes

BASIC = basic(f"x-access-token:{TOKEN}")


@pytest.fixture
def job(server: GitServer, origin: Origin, ca_bundle: str, settings: Any, db: None) -> CustomCheckJob:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    settings.TECKO_CA_BUNDLE = ca_bundle
    make_secret("git", TOKEN)
    server.authorization = BASIC
    url = server.url(host="127.0.0.1")
    data = {"name": "n", "script_runtime": "python", "script_source_type": "git", "script_git_url": url}
    boss = User.objects.create_superuser("boss")
    return service.create_job(data | {"script_git_token": "secret_ref:git"}, archive=None, user=boss)


@pytest.fixture
def check(job: CustomCheckJob, cache: Path) -> Any:
    """One check, as the sweep makes it; its log row."""
    _, sandbox = boxes.instance_sandbox()
    runner = CustomCheckRunner(sandbox, sources=Sources(Repositories.from_settings(folder=cache)))

    def check() -> CustomCheckLog:
        job.refresh_from_db()
        job.trigger()
        now = timezone.now()
        ((due, claim),) = claims.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
        claims.record(claim, runner.check(due, claim), now=timezone.now())
        return job.logs.latest("id")

    yield check
    sandbox.dismantle()
    runner.close()


Check = Callable[[], CustomCheckLog]


@pytest.mark.engine
def test_log_rows_tell_which_commit_ran_and_a_rollback_shows(
    job: CustomCheckJob, check: Check, origin: Origin, server: GitServer
) -> None:
    first = origin.commit({"main.py": SCRIPT})
    old = check()
    second = origin.commit({"main.py": SCRIPT + "\n"})
    new = check()
    service.pin_version(job, 1, user=User.objects.get())
    back = check()
    assert [(log.status, log.version, log.revision, log.source) for log in (old, new, back)] == [
        ("pending", 1, first, ""),
        ("pending", 2, second, ""),
        ("pending", 1, first, "pinned"),
    ]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("policy", "expected"),
    [("last_good", ("pending", "", 1, "stale")), ("error", ("error", "source_failed", None, ""))],
)
def test_after_a_broken_push_the_last_good_version_runs_or_nothing_by_the_policy(
    job: CustomCheckJob, check: Check, origin: Origin, policy: str, expected: tuple[Any, ...]
) -> None:
    service.update_job(job, {"script_source_policy": policy}, user=User.objects.get())
    origin.commit({"main.py": SCRIPT})
    check()
    origin.git("mv", "main.py", "other.py")
    origin.push()
    log = check()
    assert (log.status, log.cause, log.version, log.source) == expected
    assert "has no file 'main.py'" in log.source_note + log.message


@pytest.mark.engine
def test_a_token_stands_in_no_process_list_database_log_and_cache(
    check: Check, server: GitServer, origin: Origin, cache: Path, caplog: Any, capfd: Any
) -> None:
    origin.commit({"main.py": SCRIPT})
    listed: list[str] = []

    def slowly(handler: Any) -> None:
        for _ in range(3):
            listed.append(command_lines())
            time.sleep(0.2)
        server._backend(handler)

    server.behave = slowly
    with caplog.at_level("DEBUG"):
        assert check().status == "pending"
        server.authorization = "none that works"
        assert check().source == "stale"
    places = {"processes": "\n".join(listed), "database": database(), "log": caplog.text + "".join(capfd.readouterr())}
    places["cache"] = b"".join(file.read_bytes() for file in cache.rglob("*") if file.is_file()).decode("latin-1")
    assert "remote-https" in places["processes"]
    assert "secret_ref:git" in places["database"]
    assert "script_stale" in places["log"]
    assert [where for where, text in places.items() if TOKEN in text or BASIC[6:] in text] == []


def database() -> str:
    """Every row of every table."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.mark.engine
def test_a_push_while_a_check_runs_is_for_the_next_one(check: Check, origin: Origin, server: GitServer) -> None:
    first = origin.commit({"main.py": SCRIPT})

    def push_after_the_fetch(handler: Any) -> None:
        server._backend(handler)
        if [method for method, _ in server.requests].count("POST") == 2:
            origin.commit({"main.py": "the next"})

    server.behave = push_after_the_fetch
    log = check()
    server.behave = None
    assert (log.status, log.version, log.revision) == ("pending", 1, first)
    assert check().version == 2


@pytest.mark.engine
def test_a_repository_that_is_down_shows_in_the_log_row(
    job: CustomCheckJob, check: Check, origin: Origin, server: GitServer
) -> None:
    commit = origin.commit({"main.py": SCRIPT})
    check()
    server.stop()
    log = check()
    assert (log.status, log.revision, log.source) == ("pending", commit, "stale")
    assert log.source_note == "No connection to the server."


@pytest.mark.engine
def test_a_repository_that_never_worked_is_an_error_of_the_source(check: Check, server: GitServer) -> None:
    server.stop()
    log = check()
    assert (log.status, log.cause) == (Verdict.ERROR.lower(), "source_failed")


@pytest.mark.engine
def test_a_token_that_is_gone_is_a_missing_secret(job: CustomCheckJob, check: Check, origin: Origin) -> None:
    origin.commit({"main.py": SCRIPT})
    Secret.objects.get().grants.all().delete()
    assert check().cause == "secret_missing"
