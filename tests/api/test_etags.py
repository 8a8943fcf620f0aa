"""Two people who edit a job do not overwrite each other."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from customchecks.jobs import service
from customchecks.jobs.etags import ChangedMeanwhile
from customchecks.jobs.models import CustomCheckJob
from polling.base.results import CheckResult, Verdict
from polling.jobs import claims
from tests.api.conftest import JOBS, config, upload
from tests.factories import tgz

MakeJob = Callable[..., CustomCheckJob]


def tag(client: APIClient, job: CustomCheckJob) -> str:
    return str(client.get(f"{JOBS}/{job.pk}")["ETag"])


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_of_what_was_read_is_made(client: APIClient, create_job: MakeJob, method: str) -> None:
    job = create_job()
    answer = getattr(client, method)(f"{JOBS}/{job.pk}", {"name": "new"}, headers={"If-Match": tag(client, job)})
    assert (answer.status_code, answer.json()["name"]) == (200, "new")
    assert answer["ETag"] == tag(client, job)


CALLS: dict[str, Callable[[APIClient, str, dict[str, str]], Any]] = {
    "put": lambda client, path, headers: client.put(path, {"name": "mine"}, headers=headers),
    "patch": lambda client, path, headers: client.patch(path, {"name": "mine"}, headers=headers),
    "delete": lambda client, path, headers: client.delete(path, headers=headers),
    "upload": lambda client, path, headers: client.post(
        f"{path}/script/upload", {"file": upload()}, format="multipart", headers=headers
    ),
    "pin": lambda client, path, headers: client.post(f"{path}/script/pin", headers=headers),
    "unpin": lambda client, path, headers: client.post(f"{path}/script/unpin", headers=headers),
    "rollback": lambda client, path, headers: client.post(f"{path}/script/rollback", {"version": 1}, headers=headers),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_change_of_an_older_definition_is_refused_and_changes_nothing(
    client: APIClient, create_job: MakeJob, name: str
) -> None:
    job = create_job()
    old = tag(client, job)
    client.patch(f"{JOBS}/{job.pk}", {"name": "theirs"})
    before = client.get(f"{JOBS}/{job.pk}").json()
    answer = CALLS[name](client, f"{JOBS}/{job.pk}", {"If-Match": old})
    assert (answer.status_code, answer.json()["detail"]) == (412, str(ChangedMeanwhile()))
    assert client.get(f"{JOBS}/{job.pk}").json() == before


@pytest.mark.parametrize("header", ["*", 'W/{}, "x"', '"x", {}'])
def test_any_of_several_tags_may_match(client: APIClient, create_job: MakeJob, header: str) -> None:
    job = create_job()
    answer = client.patch(f"{JOBS}/{job.pk}", {"name": "x"}, headers={"If-Match": header.format(tag(client, job))})
    assert answer.status_code == 200


def test_a_check_is_no_change_of_the_definition(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    before = tag(client, job)
    ((_, claim),) = claims.claim_due(CustomCheckJob, host="t", now=timezone.now(), fits=lambda _: True)
    claims.record(claim, CheckResult(verdict=Verdict.PENDING, data={"a": 1}, state={"b": 2}), now=timezone.now())
    job.pause()
    assert tag(client, job) == before


def test_another_script_is_another_definition(client: APIClient, create_job: MakeJob) -> None:
    job = create_job()
    before = tag(client, job)
    parts = {"file": upload(tgz({"main.py": "print()"}))}
    answer = client.post(f"{JOBS}/{job.pk}/script/upload", parts, format="multipart")
    assert answer["ETag"] == tag(client, job) != before


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_what_they_both_read_one_is_refused(boss: User, client: APIClient) -> None:
    job = service.create_job(config(), archive=None, user=boss)
    headers = {"If-Match": tag(client, job)}
    codes: list[int] = []

    def change(number: int) -> None:
        mine = APIClient(raise_request_exception=False)
        mine.force_authenticate(boss)
        codes.append(mine.patch(f"{JOBS}/{job.pk}", {"name": f"by {number}"}, headers=headers).status_code)
        connections.close_all()

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, *[412] * 7]
