"""Whole checks of a job whose script is in a private repository."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from customchecks import jobs
from customchecks.models import CustomCheckJob, CustomCheckLog
from customchecks.repositories import Repositories
from customchecks.runner import CustomCheckRunner
from customchecks.sources import Sources
from polling import scheduling
from polling.results import Verdict
from secrets_app.models import Secret
from tests.git.server import GitServer, Origin
from tests.git.test_repositories import SCRIPT, TOKEN, basic
from tests.security import boxes


@pytest.fixture
def job(server: GitServer, origin: Origin, settings: Any, db: None) -> CustomCheckJob:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    secret = Secret(name="git")
    secret.set_value(TOKEN)
    secret.save()
    server.authorization = basic(f"x-access-token:{TOKEN}")
    data = {"name": "n", "script_runtime": "python", "script_source_type": "git", "script_git_url": server.url()}
    boss = User.objects.create_superuser("boss")
    return jobs.create_job(data | {"script_git_token": "secret_ref:git"}, archive=None, user=boss)


@pytest.fixture
def check(job: CustomCheckJob, repositories: Repositories) -> Any:
    """One check, as the sweep makes it; its log row."""
    _, sandbox = boxes.instance_sandbox()
    runner = CustomCheckRunner(sandbox, sources=Sources(repositories))

    def check() -> CustomCheckLog:
        job.refresh_from_db()
        job.trigger()
        now = timezone.now()
        ((due, claim),) = scheduling.claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
        scheduling.record(claim, runner.check(due, claim), now=timezone.now())
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
    jobs.pin_version(job, 1, user=User.objects.get())
    back = check()
    assert [(log.status, log.version, log.revision, log.source) for log in (old, new, back)] == [
        ("pending", 1, first, ""),
        ("pending", 2, second, ""),
        ("pending", 1, first, "pinned"),
    ]
    assert all(TOKEN not in str(list(CustomCheckLog.objects.filter(pk=log.pk).values())) for log in (old, new, back))


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
