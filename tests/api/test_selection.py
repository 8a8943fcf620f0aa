"""Lists of jobs and of their logs can be narrowed and ordered."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from polling.outbox.deliveries import Delivery, DeliveryDraft
from tests.api.conftest import JOBS, make_log

MakeJob = Callable[..., CustomCheckJob]


def names(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(JOBS, query)
    assert answer.status_code == 200, answer.json()
    assert answer.json()["total"] == len(answer.json()["jobs"])
    return [job["name"] for job in answer.json()["jobs"]]


def test_a_tag_is_looked_for_whole(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="a", tags=["team:data", "export"])
    create_job(name="b", tags=["exports"])
    create_job(name="c", tags=["e_port"])
    assert names(client, tag="export") == ["a"]
    assert names(client, tag="e_port") == ["c"]


def test_of_two_tags_both_are_wanted(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="both", tags=["a", "b"])
    create_job(name="one", tags=["a"])
    assert names(client, tag=["a", "b"]) == ["both"]


def test_tags_are_replaced_and_taken_away(client: APIClient, create_job: MakeJob) -> None:
    job = create_job(tags=["a"])
    assert client.patch(f"{JOBS}/{job.pk}", {"tags": ["b"]}).json()["tags"] == ["b"]
    assert client.patch(f"{JOBS}/{job.pk}", {"tags": []}).json()["tags"] == []


@pytest.mark.parametrize(
    "tags", [None, "a", {}, [1], [""], ["A"], ["a b"], ['a"'], ["a"] * 2, ["a" * 51], [f"t{n}" for n in range(21)]]
)
def test_what_is_no_tag_is_refused(client: APIClient, create_job: MakeJob, tags: Any) -> None:
    answer = client.patch(f"{JOBS}/{create_job().pk}", {"tags": tags})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["tags"])


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("NIGHT", ["Nightly"]),
        ("data", ["tagged"]),
        ("100%", ["100% done"]),
        ("_", []),
        ("example.com/hook", ["hooked"]),
        ("žluť", ["žluťoučký"]),
        ("x\0", []),
        ("9" * 30, []),
    ],
)
def test_a_search_looks_at_names_tags_and_addresses(
    client: APIClient, create_job: MakeJob, search: str, found: list[str]
) -> None:
    for name in ("Nightly", "100% done", "žluťoučký"):
        create_job(name=name)
    create_job(name="tagged", tags=["team:data"])
    create_job(name="hooked", webhook_url="https://hooks.example.com/hook")
    assert names(client, search=search) == found


def test_a_search_for_a_number_finds_the_job_of_that_number(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="other")
    wanted = create_job(name="wanted")
    assert "wanted" in names(client, search=str(wanted.pk))


def test_a_runtime_and_a_status_are_wanted_together(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="a")
    create_job(name="b").pause()
    assert names(client, runtime="python", status="paused") == ["b"]
    assert names(client, runtime="node") == []


def test_jobs_are_ordered_and_what_has_no_value_comes_last(client: APIClient, create_job: MakeJob) -> None:
    for name in ("b", "a", "c"):
        create_job(name=name)
    CustomCheckJob.objects.filter(name="a").update(last_check_at=timezone.now())
    assert names(client, ordering="name") == ["a", "b", "c"]
    assert names(client, ordering="-name") == ["c", "b", "a"]
    assert names(client, ordering="last_check_at")[0] == names(client, ordering="-last_check_at")[0] == "a"


@pytest.mark.parametrize(
    ("name", "value"),
    [("ordering", "owner__password"), ("ordering", "--id"), ("runtime", "php"), ("tag", "A"), ("search", "x" * 256)],
)
def test_a_wrong_choice_is_refused_by_its_name(client: APIClient, name: str, value: str) -> None:
    answer = client.get(JOBS, {name: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


# Logs


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "error"}, ["old", "new"]),
        ({"status": "PENDING"}, ["fine"]),
        ({"cause": "timeout"}, ["new"]),
        ({"status": "pending", "cause": "timeout"}, []),
        ({"since": "2026-01-02T00:00:00Z"}, ["new", "fine"]),
        ({"since": "2026-01-02T00:00:00+01:00"}, ["new", "fine"]),
        ({"since": "2026-01-03"}, ["fine"]),
    ],
)
def test_logs_are_narrowed(client: APIClient, create_job: MakeJob, query: dict[str, str], found: list[str]) -> None:
    job = create_job()
    for day, message, columns in (
        (1, "old", {"status": "error", "cause": "oom"}),
        (2, "new", {"status": "error", "cause": "timeout"}),
        (3, "fine", {"status": "pending"}),
    ):
        make_log(job, message=message, created_at=datetime(2026, 1, day, 12, tzinfo=UTC), **columns)
    page = client.get(f"{JOBS}/{job.pk}/logs", query).json()
    assert [log["message"] for log in page["logs"]][::-1] == found
    assert page["total"] == len(found)


def test_the_plus_of_a_time_may_be_a_space(client: APIClient, create_job: MakeJob) -> None:
    assert client.get(f"{JOBS}/{create_job().pk}/logs?since=2026-01-02T00:00:00+01:00").status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "done"), ("cause", "bad luck")]
    + [("since", word) for word in ("", "yesterday", "2026-13-01T00:00Z", "0001-01-01T00:00:00+23:59", "x\0")],
)
def test_a_wrong_choice_of_logs_is_refused_by_its_name(
    client: APIClient, create_job: MakeJob, name: str, value: str
) -> None:
    answer = client.get(f"{JOBS}/{create_job().pk}/logs", {name: value})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


# Deliveries


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_jobs_deliveries_are_its_own(client: APIClient, create_job: MakeJob, slash: str) -> None:
    job = create_job()
    draft = DeliveryDraft(
        channel="webhook", event="check.ended", url="https://hooks.example.com/", method="POST", payload={}
    )
    mine, _ = (Delivery.objects.open(draft, job=one, now=timezone.now()) for one in (job, create_job()))
    page = client.get(f"{JOBS}/{job.pk}/deliveries{slash}").json()
    assert ([row["id"] for row in page["deliveries"]], page["total"]) == ([str(mine.pk)], 1)
    assert client.get(f"{JOBS}/{job.pk}/deliveries?status=failed").json()["total"] == 0
    assert client.get(f"{JOBS}/999999/deliveries").status_code == 404
