"""What the command line changes is audited with the account that ran it, and the user that it acted as."""

import getpass
from collections.abc import Callable

from auditlog.models import LogEntry

from customchecks.jobs.models import CustomCheckJob
from tests.customchecks.cli.conftest import Cli, Ended


def last() -> tuple[str | None, str, str]:
    """Actor, way, and what was done."""
    entry = LogEntry.objects.order_by("pk").last()
    told = entry.additional_data
    return entry.actor and entry.actor.username, f"{told['via']} {told['name']}", told.get("event", "")


def test_a_command_is_told_with_the_account(cli: Cli, make_job: Callable[..., CustomCheckJob]) -> None:
    job = make_job()
    for command, event in (("pause", "paused"), ("resume", "resumed")):
        cli(command, str(job.pk))
        assert last() == ("boss", f"command line {getpass.getuser()}", event)


def test_a_command_that_acts_as_somebody_says_as_whom(here: Callable[..., Ended]) -> None:
    here("token", "create", "ci", "--user", "boss")
    assert last() == ("boss", f"command line {getpass.getuser()}", "")
