"""One action on many jobs: each has its own result."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from customchecks.jobs.models import CustomCheckJob
from tests.api.conftest import JOBS

MakeJob = Callable[..., CustomCheckJob]


def statuses() -> dict[str, str]:
    return dict(CustomCheckJob.objects.order_by("pk").values_list("name", "status"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_job_has_its_result_and_one_that_fails_stops_no_other(
    client: APIClient, create_job: MakeJob, slash: str
) -> None:
    first, paused, last = create_job(), create_job(), create_job()
    paused.pause()
    answer = client.post(f"{JOBS}/bulk/pause{slash}", {"ids": [first.pk, paused.pk, 999999, last.pk]})
    body = answer.json()
    assert (answer.status_code, body["total"], body["succeeded"], body["failed"]) == (200, 4, 2, 2)
    assert [row["ok"] for row in body["results"]] == [True, False, False, True]
    assert [row["status"] for row in body["results"]] == ["paused", "paused", None, "paused"]
    assert body["results"][1]["detail"].startswith("A job that is paused cannot be paused")
    assert body["results"][2]["detail"] == "There is no such job."


def test_a_filter_chooses_the_jobs(client: APIClient, create_job: MakeJob) -> None:
    create_job(name="a", tags=["x", "y"])
    create_job(name="b", tags=["x"])
    create_job(name="c")
    assert client.post(f"{JOBS}/bulk/pause", {"filter": {"tags": ["x"], "search": "b"}}).json()["total"] == 1
    assert statuses() == {"a": "active", "b": "paused", "c": "active"}
    assert (
        client.post(f"{JOBS}/bulk/resume", {"filter": {"status": "paused", "runtime": "python"}}).json()["total"] == 1
    )
    assert set(statuses().values()) == {"active"}


def test_a_filter_of_more_tags_than_a_job_can_have_is_refused(client: APIClient) -> None:
    answer = client.post(f"{JOBS}/bulk/pause", {"filter": {"tags": ["a"] * 5000}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["tag"])


def test_triggering_many_names_their_checks(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    (row,) = client.post(f"{JOBS}/bulk/trigger", {"ids": [job.pk]}).json()["results"]
    assert client.get(f"{JOBS}/{job.pk}/checks/{row['check_id']}").status_code == 202


def test_deleting_many_needs_the_right_to_delete(
    client: APIClient, create_job: MakeJob, login: Callable[..., APIClient]
) -> None:
    ids = [create_job().pk for _ in range(3)]
    assert login("change_customcheckjob").post(f"{JOBS}/bulk/delete", {"ids": ids}).status_code == 403
    assert client.post(f"{JOBS}/bulk/delete", {"ids": [*ids, ids[0]]}).json()["succeeded"] == 3
    assert not CustomCheckJob.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "non_field_errors"),
        ({"ids": [1], "filter": {"status": "active"}}, "non_field_errors"),
        ({"ids": []}, "ids"),
        ({"ids": "1"}, "ids"),
        ({"ids": ["1"]}, "ids"),
        ({"ids": [True]}, "ids"),
        ({"ids": [1.0]}, "ids"),
        ({"ids": [0]}, "ids"),
        ({"ids": [2**63]}, "ids"),
        ({"ids": list(range(1, 1002))}, "ids"),
        ({"filter": {}}, "filter"),
        ({"filter": {"search": ""}}, "filter"),
        ({"filter": {"tags": []}}, "filter"),
        ({"filter": {"tags": "x"}}, "filter"),
        ({"filter": {"owner": "x"}}, "filter"),
        ({"filter": {"search": 5}}, "filter"),
        ({"filter": {"status": "done"}}, "status"),
        ({"filter": {"tags": ["A"]}}, "tag"),
        ({"jobs": [1]}, "jobs"),
    ],
)
def test_who_is_not_clear_about_the_jobs_is_refused(
    client: APIClient, create_job: MakeJob, body: dict[str, Any], field: str
) -> None:
    create_job()
    answer = client.post(f"{JOBS}/bulk/delete", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert CustomCheckJob.objects.exists()


def test_an_action_that_is_none_is_404(client: APIClient) -> None:
    assert client.post(f"{JOBS}/bulk/explode", {"ids": [1]}).status_code == 404
