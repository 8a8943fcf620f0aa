"""Commands about several jobs, tags, and changing what a job has."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.conf import settings

from customchecks.jobs.models import CustomCheckJob
from polling.openai.models import PollingJob
from tests.customchecks.cli.conftest import Cli, Ended
from tests.factories import make_secret

MakeJob = Callable[..., CustomCheckJob]
Here = Callable[..., Ended]


def statuses() -> dict[str, str]:
    return dict(CustomCheckJob.objects.values_list("name", "status"))


def test_jobs_are_chosen_by_name_or_tag(here: Here, make_job: MakeJob) -> None:
    for name, tags in (("a", ["x"]), ("b", ["x", "y"]), ("c", [])):
        make_job(name, tags=tags)
    assert here("pause", "--tag", "x").code == 0
    assert statuses() == {"a": "paused", "b": "paused", "c": "active"}
    assert here("resume", "a", "b").code == 0
    assert set(statuses().values()) == {"active"}
    assert here("delete", "--tag", "x", "--tag", "y", "--yes").code == 0
    assert set(statuses()) == {"a", "c"}


def test_one_that_is_refused_stops_no_other_and_is_told(here: Here, make_job: MakeJob) -> None:
    make_job("a").pause()
    make_job("b")
    ended = here("pause", "a", "b", "--json")
    assert ended.code == 1
    assert [row["ok"] for row in ended.json["results"]] == [False, True]
    assert (ended.json["succeeded"], ended.json["failed"]) == (1, 1)


def test_several_are_triggered_with_their_checks_ids(here: Here, make_job: MakeJob) -> None:
    for name in ("a", "b"):
        make_job(name)
    rows = here("trigger", "a", "b", "--json").json["results"]
    assert {row["check_id"] for row in rows} == {str(job.next_check_id) for job in CustomCheckJob.objects.all()}
    assert here("trigger", "a", "b", "--wait").code == 2


@pytest.mark.parametrize("words", [("pause",), ("pause", "a", "--tag", "x"), ("trigger",), ("delete", "--yes")])
def test_which_jobs_has_to_be_clear(here: Here, words: tuple[str, ...]) -> None:
    assert here(*words).code == 2


def test_a_tag_that_is_none_is_refused(here: Here) -> None:
    ended = here("list", "--tag", "A B")
    assert (ended.code, "--tag" in ended.err) == (4, True)


def test_a_list_is_narrowed_and_ordered(here: Here, make_job: MakeJob) -> None:
    for name, tags in (("a", ["x"]), ("b", ["x"]), ("c", [])):
        make_job(name, tags=tags)
    listed = here("list", "--tag", "x", "--order", "-name", "--json").json
    assert ([job["name"] for job in listed["jobs"]], listed["total"]) == (["b", "a"], 2)
    assert here("list", "--search", "c", "--runtime", "python", "--json").json["total"] == 1
    assert here("list", "--order", "colour").code == 4


def test_an_update_adds_to_what_the_job_has_and_leaves_the_rest(cli: Cli, make_job: MakeJob) -> None:
    job = make_job(check_params={"a": 1}, env_vars={"A": "1"}, resource_limits={"memory_mb": 128}, timeout_seconds=20)
    ended = cli(
        *("update", "nightly", "--name", "weekly", "--param", "b=2", "--env", "B=2", "--cpu", "0.25", "--tag", "x"),
        *("--interval", "600"),
    )
    job.refresh_from_db()
    assert (ended.code, job.name, job.poll_interval_seconds, job.timeout_seconds) == (0, "weekly", 600, 20)
    assert (job.check_params, job.env_vars, job.tags) == ({"a": 1, "b": "2"}, {"A": "1", "B": "2"}, ["x"])
    assert job.resource_limits == {"memory_mb": 128, "cpu_cores": 0.25}


def test_an_update_has_the_options_of_a_creation(cli: Cli, make_job: MakeJob) -> None:
    job = make_job()
    ended = cli(
        *("update", "nightly", "--webhook-url", "https://93.184.215.14/", "--webhook-method", "PUT"),
        *("--deadline", "3600", "--max-checks", "9", "--max-errors", "8", "--alert-after", "7"),
        *("--alert-url", "https://93.184.215.14/alert"),
    )
    job.refresh_from_db()
    assert (ended.code, job.webhook_method, job.alert_url) == (0, "PUT", "https://93.184.215.14/alert")
    limits = (job.deadline_seconds, job.max_checks, job.max_consecutive_errors, job.alert_after_errors)
    assert limits == (3600, 9, 8, 7)


def test_an_update_may_name_every_field(cli: Cli, make_job: MakeJob) -> None:
    job = make_job(env_vars={"A": "1"}, tags=["x"])
    config = json.dumps({"env_vars": None, "tags": [], "webhook_method": "PUT"})
    assert cli("update", "nightly", "--config", "-", stdin=config).code == 0
    job.refresh_from_db()
    assert (job.env_vars, job.tags, job.webhook_method) == (None, [], "PUT")


def test_a_wrong_update_changes_nothing(here: Here, make_job: MakeJob) -> None:
    job = make_job()
    ended = here("update", "nightly", "--name", "weekly", "--interval", "3")
    job.refresh_from_db()
    assert (ended.code, job.name) == (4, "nightly")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("customcheck show ni", ["nightly"]),
        ("customcheck pause NI", []),
        ("customcheck list --tag te", ["team:data"]),
        ("customcheck secret set ge", ["gemini"]),
        ("customcheck cl", ["clone"]),
    ],
)
def test_a_shell_completes_names(cli: Cli, make_job: MakeJob, words: str, offered: list[str]) -> None:
    make_job(tags=["team:data"])
    PollingJob.objects.create(name="nibble", keboola_stack_url="x", keboola_component_id="c")
    make_secret("gemini", "long enough a value")
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "shellcompletion", "complete"]
    done = subprocess.run([*argv, words], env=cli.env, capture_output=True, text=True, timeout=120, check=False)
    assert [line.partition(",")[2] for line in done.stdout.splitlines() if "," in line] == offered, done.stderr
