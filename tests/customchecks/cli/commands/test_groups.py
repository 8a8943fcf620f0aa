"""Each command about groups."""

from collections.abc import Callable
from pathlib import Path

import pytest

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Verdict
from polling.jobs.groups import JobGroup
from polling.outbox.deliveries import Delivery
from tests.customchecks.cli.conftest import Cli, Ended, answer
from tests.polling.jobs.grouped import HOOK, make_group
from tests.polling.services import make_polling_job

Here = Callable[..., Ended]
MakeJob = Callable[..., CustomCheckJob]


@pytest.fixture
def job(make_job: MakeJob, cli: Cli) -> CustomCheckJob:
    return make_job("gemini")


def test_create_takes_jobs_of_all_kinds_by_number_or_name(cli: Cli, job: CustomCheckJob) -> None:
    polling_job = make_polling_job()
    words = ["--member", "custom:gemini", "--member", f"openai:{polling_job.pk}", "--rule", "2", "--deadline", "3600"]
    ended = cli("group", "create", "--name", "providers", *words, "--webhook-url", HOOK)
    group = JobGroup.objects.get()
    assert (ended.code, ended.out) == (0, f"{group.pk}\n")
    assert [str(member) for member in group.members.all()] == [f"custom {job.pk}", f"openai {polling_job.pk}"]
    assert (group.rule, group.count, group.deadline_seconds, group.owner.username) == ("count", 2, 3600, "boss")


def test_create_takes_a_file_and_its_options_win(here: Here, job: CustomCheckJob, tmp_path: Path) -> None:
    config = tmp_path / "group.json"
    config.write_text(f'{{"name": "a", "members": [{{"kind": "custom", "id": {job.pk}}}], "webhook_url": "{HOOK}"}}')
    shown = here("group", "create", "--config", str(config), "--name", "b", "--webhook-header", "X=1", "--json").json
    assert (shown["name"], shown["webhook_headers"], shown["members"][0]["name"]) == ("b", {"X": "1"}, "gemini")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--member", "gemini"], 2, "is not KIND:JOB with a kind of custom, openai"),
        (["--member", "custom:nobody"], 3, "There is no custom job 'nobody' (--member)."),
        (["--member", "custom:4711"], 4, "members (--member): There is no custom job 4711 that you may see."),
        (["--rule", "9", "--member", "custom:gemini"], 4, "count (--rule):"),
        (["--rule", "most", "--member", "custom:gemini"], 4, "rule (--rule): Value 'most' is not a valid choice."),
        (["--rule", "count", "--member", "custom:gemini"], 4, "Use all, any or a number."),
        (["--deadline", "1", "--member", "custom:gemini"], 4, "deadline_seconds (--deadline):"),
        (["--webhook-url", "http://x.example", "--member", "custom:gemini"], 4, "webhook_url (--webhook-url):"),
        ([], 4, "members (--member): This field is required."),
    ],
    ids=str,
)
def test_create_refuses_and_stores_nothing(
    here: Here, job: CustomCheckJob, words: list[str], code: int, message: str
) -> None:
    ended = here("group", "create", "--name", "x", "--webhook-url", HOOK, *words)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not JobGroup.objects.exists()


def test_list_and_show_are_json_as_the_api_answers(cli: Cli, here: Here, job: CustomCheckJob) -> None:
    group = make_group(job)
    answer(job, Verdict.SUCCESS, message="done")
    assert cli("group", "list").out.split("\t")[:6] == [str(group.pk), "all providers", "completed", "all", "1", "1"]
    assert here("group", "list", "--status", "active", "--json").json["total"] == 0
    shown = cli("group", "show", "all providers", "--json").json
    assert (shown["id"], shown["members"][0]["message"]) == (group.pk, "done")
    assert here("group", "show", "nobody").code == 3


def test_update_changes_what_is_named(cli: Cli, job: CustomCheckJob) -> None:
    group = make_group(job)
    ended = cli("group", "update", str(group.pk), "--rule", "any", "--deadline", "60", "--json")
    assert (ended.json["rule"], ended.json["deadline_seconds"], ended.json["name"]) == ("any", 60, "all providers")


def test_restart_restarts_the_members(cli: Cli, job: CustomCheckJob) -> None:
    make_group(job)
    assert cli("group", "restart", "all providers").code == 1
    answer(job, Verdict.SUCCESS)
    refused = cli("group", "restart", "all providers", "--json")
    assert (refused.code, "the group all providers: webhook https://" in refused.err) == (2, True)
    ended = cli("group", "restart", "all providers", "--yes", "--json")
    assert (ended.json["cycle"], ended.json["members"][0]["status"]) == (2, "active")


def test_test_sends_a_delivery(cli: Cli, job: CustomCheckJob) -> None:
    make_group(job)
    assert cli("group", "test", "all providers").out.strip() == str(Delivery.objects.get(test=True).pk)


def test_delete_leaves_the_jobs(cli: Cli, here: Here, job: CustomCheckJob) -> None:
    group = make_group(job)
    assert here("group", "delete", str(group.pk)).code == 2
    assert cli("group", "delete", str(group.pk), "--yes", "--json").json == {"id": group.pk, "name": "all providers"}
    assert not JobGroup.objects.exists()
    job.refresh_from_db()


@pytest.mark.parametrize("command", ["create", "list", "show", "update", "restart", "test", "delete"])
def test_help_has_an_example(command: str, here: Here) -> None:
    ended = here("group", command, "--help")
    assert ended.code == 0
    assert f"manage.py customcheck group {command}" in ended.out.replace("Usage: manage.py", "")
