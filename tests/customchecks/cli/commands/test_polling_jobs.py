"""Each command about polling jobs."""

from collections.abc import Callable
from typing import Any

import pytest

from polling.openai.models import PollingJob
from tests.customchecks.cli.conftest import Cli, Ended
from tests.factories import make_secret
from tests.polling.services import make_polling_job

Here = Callable[..., Ended]
WORDS = (
    *("create", "--name", "nightly", "--batch", "batch_1", "--batch", "batch_2", "--openai-secret", "openai"),
    *("--keboola-secret", "keboola", "--stack-url", "https://connection.example.com", "--component", "kds.app"),
    *("--configuration", "42", "--interval", "60"),
)


@pytest.fixture
def secrets(transactional_db: None) -> None:
    make_secret("openai", "the key of openai", kind="openai")
    make_secret("keboola", "the token of keboola", kind="keboola")


@pytest.fixture
def job(transactional_db: None) -> PollingJob:
    return make_polling_job("batch_1", "batch_2")


def test_create_stores_what_the_options_say_and_prints_the_number(cli: Cli, secrets: None) -> None:
    ended = cli("polling-job", *WORDS)
    job = PollingJob.objects.get()
    assert (ended.code, ended.out) == (0, f"{job.pk}\n")
    assert (job.name, job.poll_interval_seconds, job.owner.username) == ("nightly", 60, "boss")
    assert [batch.batch_id for batch in job.batches.all()] == ["batch_1", "batch_2"]


def test_create_needs_no_keboola_where_a_webhook_is_called(here: Here, cli: Cli, secrets: None) -> None:
    words = ["polling-job", *WORDS[: WORDS.index("--keboola-secret")]]
    refused = here(*words)
    assert (refused.code, "webhook_url (--webhook-url): Nobody would hear of the end" in refused.err) == (4, True)
    refused = here(*words, "--webhook-url", "https://hooks.example.com/", "--component", "kds.app")
    assert (refused.code, "keboola_secret_id (--keboola-secret)" in refused.err) == (4, True)
    made = here(*words, "--webhook-url", "https://hooks.example.com/", "--webhook-header", "X=1", "--json")
    shown = made.json
    assert (shown["webhook_url"], shown["webhook_headers"]) == ("https://hooks.example.com/", {"X": "1"})
    assert shown["keboola_secret_id"] is None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--batch", "file_1"], 4, "batch_ids (--batch): 'file_1' is no batch id"),
        (["--interval", "5"], 4, "poll_interval_seconds (--interval)"),
        (["--stack-url", "http://x.example"], 4, "keboola_stack_url (--stack-url)"),
        (["--openai-secret", "nobody"], 3, "There is no secret 'nobody'. See: manage.py customcheck secret list"),
        (["--openai-secret", "keboola"], 3, "is of type keboola; one of type openai is wanted."),
    ],
)
def test_create_refuses_and_stores_nothing(
    here: Here, secrets: None, words: list[str], code: int, message: str
) -> None:
    ended = here("polling-job", *WORDS, *words)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert not PollingJob.objects.exists()


def test_list_and_show_are_json_as_the_api_answers(here: Here, cli: Cli, job: PollingJob) -> None:
    assert here("polling-job", "list", "--status", "active", "--json").json["total"] == 1
    assert here("polling-job", "list").out.split("\t")[:5] == [str(job.pk), "nightly", "active", "2", "0"]
    assert here("polling-job", "list", "--status", "odd").code == 2
    job.log("pending", "not yet", now=job.created_at)
    shown: dict[str, Any] = here("polling-job", "show", "nightly", "--logs", "5", "--json").json
    assert (shown["id"], shown["batch_count"], shown["logs"][0]["message"]) == (job.pk, 2, "not yet")
    assert here("polling-job", "show", "nobody").code == 3


def test_pause_resume_and_delete(here: Here, cli: Cli, job: PollingJob) -> None:
    assert here("polling-job", "pause", "nightly", "--json").json["status"] == "paused"
    assert here("polling-job", "pause", "nightly").code == 1
    assert here("polling-job", "resume", str(job.pk), "--json").json["status"] == "active"
    assert here("polling-job", "delete", "nightly", "--yes", "--json").json == {"id": job.pk, "name": "nightly"}
    assert not PollingJob.objects.exists()


@pytest.mark.parametrize("command", ["create", "list", "show", "pause", "resume", "delete"])
def test_help_has_an_example(command: str, here: Here) -> None:
    ended = here("polling-job", command, "--help")
    assert ended.code == 0
    assert f"manage.py customcheck polling-job {command}" in ended.out.replace("Usage: manage.py", "")
