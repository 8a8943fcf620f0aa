"""``/api/jobs`` and ``/api/stats`` as clients of version 0.9 use them."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from rest_framework.test import APIClient

from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from tests.kinds.models import ScriptedJob
from tests.polling.services import FakeKeboola, FakeOpenAI, call_keboola, check, serving
from tests.polling.sweep.leases import on_duty

pytestmark = pytest.mark.django_db

JOB_FIELDS = {
    *("id", "name", "batches", "batch_count", "completed_count", "failed_count", "openai_secret_id"),
    *("openai_secret_name", "keboola_secret_id", "keboola_secret_name", "keboola_stack_url", "keboola_component_id"),
    *("keboola_configuration_id", "poll_interval_seconds", "status", "last_check_at", "next_check_at", "created_at"),
    "completed_at",
}
STATS = {
    *("total_jobs", "active_jobs", "paused_jobs", "completed_jobs", "failed_jobs", "total_secrets", "total_logs"),
    "uptime_seconds",
}
HOOK = "https://hooks.example.com/batches"
NO_KEBOOLA = dict.fromkeys(
    ("keboola_secret_id", "keboola_stack_url", "keboola_component_id", "keboola_configuration_id")
)
Create = Callable[..., Any]
Ask = Callable[..., tuple[int, Any]]


def add_secrets(client: APIClient) -> dict[str, int]:
    made = {}
    for kind in ("openai", "keboola"):
        body = {"name": kind, "type": kind, "value": f"the value of {kind}"}
        made[f"{kind}_secret_id"] = client.post("/api/admin/secrets", body, format="json").json()["id"]
    return made


@pytest.fixture
def body(client: APIClient) -> dict[str, Any]:
    return {
        "name": "nightly",
        "batch_ids": ["batch_1", "batch_2"],
        "keboola_stack_url": "https://connection.example.com",
        "keboola_component_id": "kds.app",
        "keboola_configuration_id": "42",
        **add_secrets(client),
    }


@pytest.fixture
def post(client: APIClient, body: dict[str, Any]) -> Create:
    return lambda **changes: client.post("/api/jobs", body | changes, format="json")


def test_very_many_batches_are_one_error(post: Create) -> None:
    refused = post(batch_ids=[""] * 100_000)
    assert (refused.status_code, refused.json()["errors"]) == (422, {"batch_ids": ["A job has 1 to 10 batches."]})


def test_a_job_is_created_and_due(post: Create) -> None:
    created = post()
    job = created.json()
    assert (created.status_code, set(job)) == (201, JOB_FIELDS)
    assert (job["batch_count"], job["completed_count"], job["failed_count"]) == (2, 0, 0)
    assert (job["openai_secret_name"], job["keboola_secret_name"]) == ("openai", "keboola")
    assert (job["status"], job["poll_interval_seconds"], job["completed_at"]) == ("active", 120, None)
    assert job["next_check_at"]
    assert [set(batch) for batch in job["batches"]] == [{"id", "batch_id", "status", "created_at", "completed_at"}] * 2
    assert {batch["status"] for batch in job["batches"]} == {"in_progress"}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 256},
        {"name": 5},
        {"name": "a\0b"},
        {"batch_ids": []},
        {"batch_ids": [f"batch_{number}" for number in range(11)]},
        {"batch_ids": ["batch_1", "batch_1"]},
        {"batch_ids": ["file_1"]},
        {"batch_ids": ["batch_"]},
        {"batch_ids": ["batch_a/../b"]},
        {"batch_ids": ["batch_ä"]},
        {"batch_ids": ["batch_" + "x" * 250]},
        {"batch_ids": "batch_1"},
        {"poll_interval_seconds": 29},
        {"poll_interval_seconds": 3601},
        {"poll_interval_seconds": "120"},
        {"keboola_stack_url": "http://connection.example.com"},
        {"keboola_stack_url": "https://10.0.0.1"},
        {"keboola_stack_url": "https://connection.example.com/?x=1"},
        {"keboola_component_id": ""},
        {"keboola_configuration_id": "\0"},
        {"openai_secret_id": "one"},
        {"colour": "red"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_wrong_input_is_422_by_field_and_stores_nothing(post: Create, changes: dict[str, Any]) -> None:
    answer = post(**changes)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, list(changes))
    assert isinstance(answer.json()["detail"], str)
    assert not PollingJob.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"name": NaN}'])
def test_a_body_that_is_no_json_object_is_422(client: APIClient, body: bytes) -> None:
    answer = client.generic("POST", "/api/jobs", body, content_type="application/json")
    assert (answer.status_code, list(answer.json())) == (422, ["detail"])


@pytest.mark.parametrize("field", ["openai_secret_id", "keboola_secret_id"])
def test_a_secret_that_is_unknown_or_of_the_wrong_type_is_404(post: Create, body: dict[str, Any], field: str) -> None:
    other = next(body[name] for name in ("openai_secret_id", "keboola_secret_id") if name != field)
    for wrong in (other, 999_999):
        answer = post(**{field: wrong})
        assert answer.status_code == 404
        assert str(wrong) in answer.json()["detail"]
    assert not PollingJob.objects.exists()


WEBHOOK_FIELDS = {
    *(
        "webhook_url",
        "webhook_method",
        "webhook_headers",
        "webhook_query_params",
        "webhook_signing_secrets",
        "alert_url",
    )
}


def test_a_job_with_a_webhook_needs_no_keboola_and_shows_what_it_calls(post: Create, client: APIClient) -> None:
    made = post(webhook_url=HOOK, webhook_headers={"X": "1"}, **NO_KEBOOLA)
    job = made.json()
    assert (made.status_code, set(job)) == (201, JOB_FIELDS | WEBHOOK_FIELDS)
    assert (job["webhook_url"], job["webhook_headers"], job["keboola_secret_id"]) == (HOOK, {"X": "1"}, None)
    assert client.get("/api/jobs").json()["jobs"] == [job]


def test_keboola_and_the_webhook_take_each_others_place(post: Create, body: dict[str, Any], client: APIClient) -> None:
    path = f"/api/jobs/{post().json()['id']}"

    def put(**changes: Any) -> Any:
        return client.put(path, changes, format="json")

    assert put(**NO_KEBOOLA).status_code == 422
    changed = put(webhook_url=HOOK, **NO_KEBOOLA)
    assert (changed.status_code, changed.json()["keboola_stack_url"]) == (200, None)
    assert client.delete(f"/api/admin/secrets/{body['keboola_secret_id']}").status_code == 204
    again = {"name": "keboola", "type": "keboola", "value": "another value"}
    token = client.post("/api/admin/secrets", again, format="json").json()["id"]
    back = put(webhook_url=None, **{name: body[name] for name in NO_KEBOOLA} | {"keboola_secret_id": token})
    assert (back.status_code, set(back.json())) == (200, JOB_FIELDS)


def test_a_job_that_lost_its_secrets_can_be_renamed(post: Create, client: APIClient) -> None:
    job = post().json()
    PollingJob.objects.update(keboola_secret=None)
    assert client.put(f"/api/jobs/{job['id']}", {"name": "old"}, format="json").status_code == 200


def test_a_secret_of_a_job_cannot_be_deleted(client: APIClient, post: Create, body: dict[str, Any]) -> None:
    job = post().json()
    refused = client.delete(f"/api/admin/secrets/{body['openai_secret_id']}")
    assert (refused.status_code, f"openai {job['id']}" in refused.json()["detail"]) == (409, True)
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert client.delete(f"/api/admin/secrets/{body['openai_secret_id']}").status_code == 204


def test_the_list_is_newest_first_and_can_be_narrowed(client: APIClient, post: Create) -> None:
    first, second = post().json()["id"], post().json()["id"]
    client.post(f"/api/jobs/{first}/pause")
    listed = client.get("/api/jobs").json()
    assert (set(listed), listed["total"]) == ({"jobs", "total"}, 2)
    assert [job["id"] for job in listed["jobs"]] == [second, first]
    assert [job["id"] for job in client.get("/api/jobs/?status=paused").json()["jobs"]] == [first]
    assert client.get("/api/jobs?status=odd").status_code == 422


def test_the_list_takes_as_many_queries_for_many_jobs_as_for_one(
    client: APIClient, post: Create, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        post()
    with django_assert_num_queries(2):
        client.get("/api/jobs")


def test_logs_are_newest_first_and_as_many_as_asked_for(client: APIClient, post: Create) -> None:
    job = PollingJob.objects.get(pk=post().json()["id"])
    for number in range(60):
        job.log("pending", str(number), now=timezone.now())
    path = f"/api/jobs/{job.pk}"
    logs = client.get(path).json()["logs"]
    assert (len(logs), logs[0]["message"]) == (50, "59")
    assert set(logs[0]) == {"id", "job_id", "status", "message", "created_at"}
    assert len(client.get(f"{path}?include_logs=true&log_limit=3").json()["logs"]) == 3
    assert "logs" not in client.get(f"{path}?include_logs=false").json()
    assert [client.get(f"{path}?log_limit={limit}").status_code for limit in ("0", "501", "x")] == [422] * 3


def test_a_job_is_changed(client: APIClient, post: Create) -> None:
    path = f"/api/jobs/{post().json()['id']}/"
    changed = client.put(path, {"name": "hourly", "poll_interval_seconds": 600}, format="json")
    assert (changed.status_code, changed.json()["name"], changed.json()["poll_interval_seconds"]) == (
        200,
        "hourly",
        600,
    )
    assert changed.json()["keboola_component_id"] == "kds.app"
    assert client.put(path, {"poll_interval_seconds": 5}, format="json").status_code == 422
    assert client.put(path, {"status": "completed"}, format="json").status_code == 422


def test_pause_and_resume_are_for_the_right_status(client: APIClient, post: Create) -> None:
    path = f"/api/jobs/{post().json()['id']}"
    assert client.post(f"{path}/resume").status_code == 409
    paused = client.post(f"{path}/pause/")
    assert (paused.status_code, paused.json()["status"], paused.json()["next_check_at"]) == (200, "paused", None)
    assert isinstance(client.post(f"{path}/pause").json()["detail"], str)
    resumed = client.post(f"{path}/resume").json()
    assert (resumed["status"], bool(resumed["next_check_at"])) == ("active", True)


def test_only_who_may_use_the_token_says_where_it_goes(post: Create, body: dict[str, Any]) -> None:
    path = f"/api/jobs/{post().json()['id']}"
    editor = User.objects.create_user("editor")
    editor.user_permissions.set(Permission.objects.filter(codename__in=["view_pollingjob", "change_pollingjob"]))
    changing = APIClient()
    changing.force_authenticate(editor)
    assert changing.put(path, {"keboola_stack_url": "https://mine.example.com"}, format="json").status_code == 404
    assert changing.put(path, {"name": "renamed"}, format="json").status_code == 200
    assert PollingJob.objects.get().keboola_stack_url == body["keboola_stack_url"]


@pytest.mark.parametrize("verb", ["get", "put", "delete"])
def test_an_unknown_job_is_404(client: APIClient, verb: str) -> None:
    answer = getattr(client, verb)("/api/jobs/999", {}, format="json")
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/1", "/api/stats"])
def test_without_a_login_nothing_is_shown(path: str, db: None) -> None:
    assert APIClient().get(path).status_code == 401


def test_somebody_without_the_permission_changes_nothing(post: Create) -> None:
    path = f"/api/jobs/{post().json()['id']}"
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))
    answers = [stranger.get(path), stranger.post(f"{path}/pause"), stranger.delete(path), stranger.get("/api/stats")]
    assert [answer.status_code for answer in answers] == [403] * 4


def test_stats_count_every_kind_of_job(client: APIClient, post: Create) -> None:
    before = client.get("/api/stats/").json()
    post()
    ScriptedJob.objects.create(name="other", status="paused")
    PollingJob.objects.create(name="ended", status="completed_with_failures").log("failed", "", now=timezone.now())
    after = client.get("/api/stats").json()
    assert set(after) == STATS
    assert {name: after[name] - before[name] for name in sorted(STATS) if name != "uptime_seconds"} == {
        "active_jobs": 1,
        "completed_jobs": 1,
        "failed_jobs": 0,
        "paused_jobs": 1,
        "total_jobs": 3,
        "total_logs": 1,
        "total_secrets": 0,
    }
    assert after["uptime_seconds"] > 0


def with_httpx(url: str) -> Ask:
    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = httpx.request(method, url + path, json=body, auth=("operator", "a long password"), timeout=20)
        return answer.status_code, answer.json() if answer.content else None

    return ask


def with_urllib(url: str) -> Ask:
    login = base64.b64encode(b"operator:a long password").decode()

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                content, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            with error:
                content, status = error.read(), error.code
        return status, json.loads(content) if content else None

    return ask


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("library", [with_httpx, with_urllib])
def test_a_client_walks_through_version_0_9(
    live_server: LiveServer, operator: User, settings: Any, library: Callable[[str], Ask]
) -> None:
    ask = library(live_server.url)
    said = {"batch_1": ["validating", "completed"], "batch_2": ["expired"]}
    with serving(FakeOpenAI(said)) as openai, serving(FakeKeboola([201])) as keboola:  # type: ignore[arg-type]
        settings.TECKO_OPENAI_URL, settings.TECKO_WEBHOOK_ALLOW = openai.url, ["127.0.0.1"]
        on_duty()
        assert ask("GET", "/api/health")[1]["status"] == "healthy"
        secrets = {}
        for kind in ("openai", "keboola"):
            secret = {"name": kind, "type": kind, "value": f"the value of {kind}"}
            status, made = ask("POST", "/api/admin/secrets", secret)
            assert (status, set(made)) == (201, {"id", "name", "type", "created_at"})
            assert ask("POST", "/api/admin/secrets", secret)[0] == 409
            secrets[f"{kind}_secret_id"] = made["id"]
        assert ask("GET", "/api/admin/secrets")[1]["total"] == 2

        job = {"name": "n", "batch_ids": list(said), "keboola_stack_url": keboola.url, "poll_interval_seconds": 60}
        job |= {"keboola_component_id": "c", "keboola_configuration_id": "1", **secrets}
        status, created = ask("POST", "/api/jobs", job)
        assert (status, set(created)) == (201, JOB_FIELDS)
        path = f"/api/jobs/{created['id']}"
        assert ask("POST", f"{path}/pause")[1]["status"] == "paused"
        assert ask("POST", f"{path}/pause/")[0] == 409
        assert ask("POST", f"{path}/resume")[1]["status"] == "active"
        assert ask("PUT", path, {"name": "renamed"})[1]["name"] == "renamed"

        check(check(PollingJob.objects.get()))
        call_keboola(Delivery.objects.get().created_at)
        shown = ask("GET", f"{path}?include_logs=true&log_limit=10")[1]
        assert (shown["status"], shown["completed_count"], shown["failed_count"]) == ("completed_with_failures", 1, 1)
        assert [log["status"] for log in shown["logs"]] == ["triggered", "failed", "checking", "pending", "checking"]
        assert all(batch["completed_at"] for batch in shown["batches"])
        assert len(keboola.calls) == 1
        assert ask("GET", "/api/jobs?status=completed_with_failures")[1]["total"] == 1
        assert ask("GET", "/api/stats")[1]["completed_jobs"] == 1
        assert ask("DELETE", path) == (204, None)
        assert ask("GET", path)[0] == 404
        assert ask("DELETE", f"/api/admin/secrets/{secrets['openai_secret_id']}") == (204, None)
