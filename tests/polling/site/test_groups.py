"""``/api/groups``: what it takes, shows and refuses."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from polling.base.results import Verdict
from polling.jobs.groups import JobGroup
from polling.outbox.deliveries import Delivery
from tests.polling.jobs.grouped import HOOK, end, make_group, make_member

pytestmark = pytest.mark.django_db(transaction=True)

GROUPS = "/api/groups"


def fields(*members: Any, **given: Any) -> dict[str, Any]:
    named = [{"kind": member.kind, "id": member.pk} for member in members]
    return {"name": "all providers", "members": named, "webhook_url": HOOK} | given


def test_a_group_is_created_with_its_members_and_defaults(client: APIClient) -> None:
    member = make_member("gemini")
    answer = client.post(GROUPS, fields(member))
    shown = answer.json()
    assert answer.status_code == 201
    assert client.get(f"{GROUPS}/{shown['id']}/").json() == shown
    assert shown["members"] == [
        {
            "kind": "scripted",
            "id": member.pk,
            "name": "gemini",
            "status": "active",
            "ended": False,
            "verdict": None,
            "message": None,
            "data": {},
            "cause": None,
        }
    ]
    assert (shown["rule"], shown["count"], shown["deadline_seconds"]) == ("all", None, 604800)
    assert (shown["status"], shown["failure_cause"], shown["cycle"]) == ("active", "", 1)


def test_a_list_has_an_envelope_and_can_be_narrowed(client: APIClient) -> None:
    first, second = make_member(), make_member()
    ended, waiting = make_group(first), make_group(second)
    end(first, Verdict.FAILED)
    page = client.get(GROUPS, {"limit": 1, "offset": 1}).json()
    assert ([group["id"] for group in page["groups"]], page["total"]) == ([waiting.pk], 2)
    assert (page["limit"], page["offset"]) == (1, 1)
    (only,) = client.get(GROUPS, {"status": "completed"}).json()["groups"]
    assert only["id"] == ended.pk
    assert only["members"] == [
        {"kind": "scripted", "id": first.pk, "name": "job", "status": "completed", "ended": True, "verdict": "FAILED"}
    ]
    assert [client.get(GROUPS, {"status": word}).status_code for word in ("odd", "")] == [400, 400]


def test_a_long_list_asks_no_more_questions_than_a_short_one(client: APIClient) -> None:
    counts = []
    for _ in range(2):
        for _ in range(4):
            make_group(make_member(), make_member())
        with CaptureQueriesContext(
            connection,
        ) as asked:
            client.get(GROUPS)
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("verb", ["put", "patch"])
def test_a_change_leaves_what_it_does_not_name(client: APIClient, verb: str) -> None:
    first, second = make_member(), make_member()
    group = make_group(first, rule="any")
    wanted = [{"kind": "scripted", "id": second.pk}]
    answer = getattr(client, verb)(f"{GROUPS}/{group.pk}", {"name": "new", "members": wanted})
    assert answer.status_code == 200
    assert [member["id"] for member in answer.json()["members"]] == [second.pk]
    assert (answer.json()["name"], answer.json()["rule"]) == ("new", "any")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": 5}, "name"),
        ({"rule": "most"}, "rule"),
        ({"rule": "count", "count": "1"}, "count"),
        ({"rule": "count"}, "count"),
        ({"deadline_seconds": 1.5}, "deadline_seconds"),
        ({"members": "all"}, "members"),
        ({"members": [{"kind": "scripted"}]}, "members"),
        ({"members": [{"kind": "scripted", "id": True}]}, "members"),
        ({"members": [{"kind": "scripted", "id": 4711}]}, "members"),
        ({"members": []}, "members"),
        *(({field: value}, field) for field in ("webhook_headers", "webhook_query_params") for value in (5, True, "x")),
        *(({"webhook_signing_secrets": value}, "webhook_signing_secrets") for value in (5, True, "secret_ref:x")),
        ({"webhook_url": "http://10.0.0.1/"}, "webhook_url"),
        ({"webhook_url": None}, "webhook_url"),
        ({"webhook_headers": {"X": "secret_ref:nobody"}}, "webhook_headers.X"),
        ({"webhook_query_params": {"x": "{job_name}"}}, "webhook_query_params"),
        ({"webhook_signing_secrets": "x"}, "webhook_signing_secrets"),
        ({"status": "completed"}, "status"),
        ({"odd": 1}, "odd"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_and_nothing_is_stored(client: APIClient, given: dict[str, Any], field: str) -> None:
    member = make_member()
    answer = client.post(GROUPS, fields(member, **given))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    group = make_group(member)
    assert client.patch(f"{GROUPS}/{group.pk}", given).status_code == 400
    assert JobGroup.objects.get().name == "all providers"


def test_a_job_can_be_in_twenty_groups(client: APIClient) -> None:
    crowded, other = make_member(), make_member()
    for _ in range(20):
        group = make_group(crowded)
    answer = client.post(GROUPS, fields(other, crowded))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["members"])
    assert client.put(f"{GROUPS}/{group.pk}", fields(crowded, other)).status_code == 200


@pytest.mark.parametrize("missing", ["name", "members", "webhook_url"])
def test_what_a_group_needs_must_be_there(client: APIClient, missing: str) -> None:
    given = fields(make_member())
    del given[missing]
    assert list(client.post(GROUPS, given).json()["errors"]) == [missing]


def test_a_group_is_restarted_with_its_members_or_refused(client: APIClient) -> None:
    member = make_member()
    group = make_group(member)
    assert client.post(f"{GROUPS}/{group.pk}/restart").status_code == 409
    end(member)
    answer = client.post(f"{GROUPS}/{group.pk}/restart")
    assert (answer.status_code, answer.json()["status"], answer.json()["cycle"]) == (200, "active", 2)
    assert answer.json()["members"][0]["status"] == "active"


def test_a_test_takes_the_way_of_every_delivery(client: APIClient) -> None:
    group = make_group(make_member())
    answer = client.post(f"{GROUPS}/{group.pk}/webhook/test")
    assert (answer.status_code, answer.json()["event"], answer.json()["job_kind"]) == (202, "group.test", "group")
    assert '"test": true' in Delivery.objects.get().body
    assert client.get("/api/deliveries", {"job_kind": "group", "job_id": group.pk}).json()["total"] == 1


def test_no_more_than_ten_tests_of_a_group_wait_to_be_delivered(client: APIClient) -> None:
    group = make_group(make_member())
    codes = [client.post(f"{GROUPS}/{group.pk}/webhook/test").status_code for _ in range(11)]
    assert codes == [202] * 10 + [409]


def test_a_deleted_group_is_gone_and_its_jobs_are_not(client: APIClient) -> None:
    member = make_member()
    group = make_group(member)
    assert client.delete(f"{GROUPS}/{group.pk}").status_code == 204
    assert client.get(f"{GROUPS}/{group.pk}").status_code == 404
    member.refresh_from_db()


def test_whoever_may_not_see_a_kind_of_job_cannot_have_its_answers_sent_anywhere() -> None:
    user = User.objects.create_user("groups only")
    user.user_permissions.set(Permission.objects.filter(codename__endswith="_jobgroup"))
    client = APIClient()
    client.force_authenticate(user)
    member = make_member()
    refused = client.post(GROUPS, fields(member))
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["members"])
    group = make_group(member)
    assert client.patch(f"{GROUPS}/{group.pk}", {"webhook_url": "https://elsewhere.example.com/"}).status_code == 400
    end(member)
    assert client.post(f"{GROUPS}/{group.pk}/restart").status_code == 409
