"""Groups in the admin."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Verdict
from polling.jobs.groups import JobGroup
from polling.outbox.deliveries import Delivery
from tests.admin.conftest import HOSTILE
from tests.polling.jobs.grouped import HOOK, end, make_group, make_member

MakeJob = Callable[..., CustomCheckJob]
LIST, ADD, CHANGE, DELETE = (f"admin:polling_jobgroup_{page}" for page in ("changelist", "add", "change", "delete"))


def form(*members: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "providers",
        "members": "\n".join(members),
        "rule": "all",
        "count": "",
        "deadline_seconds": "3600",
        "webhook_url": HOOK,
        "webhook_method": "POST",
        "webhook_headers": "",
        "webhook_query_params": "",
        "webhook_signing_secrets": "[]",
        **fields,
    }


@pytest.mark.django_db(transaction=True)
def test_a_group_is_made_and_changed_with_its_members(browser: Client, make_job: MakeJob) -> None:
    job, other = make_job(), make_member()
    browser.post(reverse(ADD), form(f"custom {job.pk}", f"scripted {other.pk}"))
    group = JobGroup.objects.get()
    assert (group.status, group.deadline_seconds, group.owner.username) == ("active", 3600, "boss")
    assert f"scripted {other.pk}" in browser.get(reverse(CHANGE, args=[group.pk])).content.decode()
    browser.post(reverse(CHANGE, args=[group.pk]), form(f"custom {job.pk}", rule="any"))
    group.refresh_from_db()
    assert (group.rule, [str(member) for member in group.members.all()]) == ("any", [f"custom {job.pk}"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"members": "custom"}, "is not a kind and a number"),
        ({"members": "custom 4711"}, "There is no custom job 4711"),
        ({"rule": "count", "count": "3"}, "needs a count from 1 to the number of members"),
        ({"webhook_url": "http://10.0.0.1/"}, "10.0.0.1"),
        ({"webhook_headers": '{"X": "secret_ref:nobody"}'}, "X: There is no secret"),
        ({"webhook_query_params": '{"x": "{job_id}"}'}, "is unknown"),
        ({"deadline_seconds": "1"}, "greater than or equal to 10"),
    ],
    ids=str,
)
@pytest.mark.django_db(transaction=True)
def test_what_is_wrong_is_said_in_the_form(browser: Client, fields: dict[str, str], message: str) -> None:
    answer = browser.post(reverse(ADD), form(f"scripted {make_member().pk}", **fields))
    assert answer.status_code == 200
    assert message in answer.content.decode().replace("&#x27;", "'")
    assert not JobGroup.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_open_form_does_not_revive_a_group_that_ended_meanwhile(browser: Client) -> None:
    member = make_member()
    group = make_group(member)
    end(member)
    browser.post(reverse(CHANGE, args=[group.pk]), form(f"scripted {member.pk}", name="renamed", status="active"))
    group.refresh_from_db()
    assert (group.name, group.status, Delivery.objects.filter(job_kind="group").count()) == ("renamed", "completed", 1)


@pytest.mark.django_db(transaction=True)
def test_a_page_shows_what_is_known_of_each_member_escaped(browser: Client) -> None:
    member = make_member(HOSTILE)
    group = make_group(member, name=HOSTILE)
    end(member, Verdict.FAILED)
    for page in (reverse(LIST), reverse(CHANGE, args=[group.pk])):
        shown = browser.get(page).content.decode()
        assert "completed" in shown
        assert "<script>alert" not in shown
    assert "FAILED" in shown


@pytest.mark.django_db(transaction=True)
def test_who_may_only_look_sees_the_group_and_no_form(browser: Client) -> None:
    group = make_group(make_member("gemini"))
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.groups.add(Group.objects.get(name="viewer"))
    browser.force_login(viewer)
    answer = browser.get(reverse(CHANGE, args=[group.pk]))
    assert (answer.status_code, "gemini" in answer.content.decode()) == (200, True)
    assert "<textarea" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_actions_restart_and_send_a_test(browser: Client) -> None:
    member = make_member()
    group = make_group(member)
    end(member)
    chosen = {"_selected_action": [group.pk]}
    browser.post(reverse(LIST), {"action": "send_test", **chosen})
    asked = browser.post(reverse(LIST), {"action": "restart", **chosen}).content.decode()
    group.refresh_from_db()
    assert ("webhook https://" in asked, group.cycle) == (True, 1)
    assert 'name="confirmed" value="yes"' in asked
    browser.post(reverse(LIST), {"action": "restart", "confirmed": "yes", **chosen})
    group.refresh_from_db()
    assert (group.cycle, Delivery.objects.filter(job_kind="group", test=True).count()) == (2, 1)
    delivery = Delivery.objects.get(job_kind="group", test=False)
    shown = browser.get(reverse("admin:polling_delivery_change", args=[delivery.pk])).content.decode()
    assert reverse(CHANGE, args=[group.pk]) in shown


@pytest.mark.django_db(transaction=True)
def test_a_deleted_group_leaves_its_jobs(browser: Client) -> None:
    member = make_member()
    group = make_group(member)
    browser.post(reverse(DELETE, args=[group.pk]), {"post": "yes"})
    assert not JobGroup.objects.exists()
    member.refresh_from_db()
