"""A group of jobs makes one call when its rule is met, or when its time is up."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Cause, Verdict
from polling.jobs import group_changes, groups
from polling.jobs.groups import GroupRefused, GroupStatus, JobGroup
from polling.jobs.scheduling import JobStatus
from polling.openai import service
from polling.outbox.deliveries import Delivery
from polling.sweep.sweeper import Capacity, Sweeper
from secrets_app.models import SecretGrant
from tests.kinds.models import ScriptedJob
from tests.polling.jobs.grouped import HOOK, boss, end, make_group, make_member, sent
from tests.polling.services import make_polling_job, make_secret

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("rule", "needed"),
    [({"rule": "all"}, 3), ({"rule": "any"}, 1), ({"rule": "count", "count": 2}, 2)],
    ids=["all", "any", "count"],
)
def test_the_rule_says_how_many_must_have_ended(rule: dict[str, Any], needed: int) -> None:
    members = [make_member() for _ in range(3)]
    group = make_group(*members, **rule)
    for number, member in enumerate(members, start=1):
        end(member)
        assert len(sent(group)) == (1 if number >= needed else 0)
    assert (group.status, group.failure_cause) == (GroupStatus.COMPLETED, "")


def test_a_check_that_does_not_end_its_job_ends_no_group() -> None:
    member = make_member()
    group = make_group(member, rule="any")
    end(member, Verdict.PENDING)
    end(member, Verdict.ERROR, cause=Cause.TIMEOUT)
    assert (sent(group), group.status) == ([], GroupStatus.ACTIVE)


def test_the_call_tells_everything_about_every_member_of_every_kind() -> None:
    custom = CustomCheckJob.objects.create(name="gemini", script_runtime="python", script_source_type="upload")
    openai, third = make_polling_job("batch_1"), make_member("scripted")
    group = make_group(custom, openai, third, rule="count", count=2)
    end(custom, Verdict.FAILED, data={"batch": "b-17"}, message="two items are bad")
    end(third)
    (body,) = sent(group)
    (delivery,) = Delivery.objects.filter(job_kind="group")
    assert (delivery.event, delivery.url, delivery.method, delivery.job_name) == (
        *("group.ended", HOOK, "POST", "all providers"),
    )
    assert body.pop("timestamp").endswith("Z")
    assert body == {
        "group_id": group.pk,
        "group_name": "all providers",
        "status": "completed",
        "cause": None,
        "rule": "count",
        "needed": 2,
        "total": 3,
        "ended": 2,
        "succeeded": 1,
        "delivery_id": str(delivery.pk),
        "members": [
            {
                "kind": "custom",
                "id": custom.pk,
                "name": "gemini",
                "status": "completed",
                "ended": True,
                "verdict": "FAILED",
                "message": "two items are bad",
                "data": {"batch": "b-17"},
                "cause": None,
            },
            {
                "kind": "openai",
                "id": openai.pk,
                "name": "nightly",
                "status": "active",
                "ended": False,
                "verdict": None,
                "message": None,
                "data": {"batches": {"batch_1": "in_progress"}},
                "cause": None,
            },
            {
                "kind": "scripted",
                "id": third.pk,
                "name": "scripted",
                "status": "completed",
                "ended": True,
                "verdict": "SUCCESS",
                "message": None,
                "data": {},
                "cause": None,
            },
        ],
    }


def test_a_polling_job_ends_with_what_keboola_answered_and_not_before() -> None:
    job = make_polling_job("batch_1")
    group = make_group(job)
    end(job, data={"batches": {"batch_1": "completed"}})
    assert sent(group) == []
    assert job.conclude(JobStatus.FAILED, cause="keboola_failed", now=timezone.now())
    (member,) = sent(group)[0]["members"]
    assert (member["status"], member["verdict"], member["cause"]) == ("failed", "SUCCESS", "keboola_failed")
    assert member["data"] == {"batches": {"batch_1": "completed"}}


def test_members_that_had_ended_before_count() -> None:
    first, second = make_member(), make_member()
    end(first)
    group = make_group(first, second)
    assert sent(group) == []
    end(second)
    assert [member["status"] for member in sent(group)[0]["members"]] == ["completed", "completed"]


def test_a_group_of_jobs_that_have_all_ended_is_told_at_once() -> None:
    member = make_member()
    end(member)
    assert len(sent(make_group(member))) == 1


def test_a_job_may_be_in_several_groups() -> None:
    shared, other = make_member(), make_member()
    both, either = make_group(shared, other), make_group(shared, other, rule="any")
    end(shared)
    assert (len(sent(both)), len(sent(either))) == (0, 1)
    end(other)
    assert (len(sent(both)), len(sent(either))) == (1, 1)


def test_a_passed_deadline_tells_what_is_known() -> None:
    first, second = make_member("first"), make_member("second")
    group = make_group(first, second, deadline_seconds=60)
    end(first)
    end(second, Verdict.PENDING)
    assert groups.enforce_deadlines(now=group.deadline_at - timedelta(seconds=1)) == 0
    assert groups.enforce_deadlines(now=group.deadline_at) == 1
    assert groups.enforce_deadlines(now=group.deadline_at + timedelta(days=1)) == 0
    (body,) = sent(group)
    assert (body["status"], body["cause"], body["ended"]) == ("failed", "deadline", 1)
    assert [(member["status"], member["verdict"]) for member in body["members"]] == [
        *(("completed", "SUCCESS"), ("active", "PENDING")),
    ]
    end(second)
    assert len(sent(group)) == 1


def test_a_paused_member_is_waited_for() -> None:
    first, second = make_member(), make_member()
    group = make_group(first, second)
    second.pause()
    end(first)
    assert sent(group) == []
    second.resume()
    end(second)
    assert len(sent(group)) == 1


def test_a_member_that_is_restarted_is_waited_for_again() -> None:
    first, second = make_member(), make_member()
    group = make_group(first, second)
    end(first, Verdict.FAILED)
    first.restart()
    restarted, _ = JobGroup.objects.get().states()
    assert (restarted.status, restarted.verdict) == ("active", None)
    end(second)
    assert sent(group) == []
    end(first)
    assert sent(group)[0]["succeeded"] == 2


def test_a_deleted_member_is_no_longer_waited_for_and_still_told_of() -> None:
    first, second = make_member("first"), make_member("second")
    group = make_group(first, second)
    end(first)
    second_id = second.pk
    second.delete()
    (body,) = sent(group)
    assert (body["status"], body["needed"], body["ended"]) == ("completed", 1, 1)
    assert body["members"][1] == {
        "kind": "scripted",
        "id": second_id,
        "name": "second",
        "status": "deleted",
        "ended": False,
        "verdict": None,
        "message": None,
        "data": {},
        "cause": None,
    }


def test_a_member_that_is_deleted_after_its_end_counts_with_what_it_answered() -> None:
    job, other = make_polling_job("batch_1"), make_member()
    group = make_group(job, other)
    end(job, data={"batches": {"batch_1": "completed"}})
    job.conclude(JobStatus.COMPLETED, now=timezone.now())
    service.delete_job(job)
    end(other)
    (body,) = sent(group)
    assert (body["ended"], body["succeeded"]) == (2, 2)
    assert body["members"][0]["data"] == {"batches": {"batch_1": "completed"}}


@pytest.mark.parametrize("rule", [{"rule": "any"}, {"rule": "count", "count": 2}, {"rule": "all"}], ids=str)
def test_deleting_a_job_never_meets_a_rule_but_may_make_it_impossible(rule: dict[str, Any]) -> None:
    first, second = make_member(), make_member()
    group = make_group(first, second, **rule)
    first.delete()
    assert sent(group) == []
    second.delete()
    assert [(body["status"], body["cause"]) for body in sent(group)] == [("failed", "members_deleted")]


def test_a_restarted_group_restarts_what_has_ended_and_tells_again() -> None:
    first, second = make_member(), make_member()
    group = make_group(first, second, rule="any", deadline_seconds=60)
    end(first)
    assert len(sent(group)) == 1
    group_changes.restart_group(group, user=boss())
    first.refresh_from_db()
    assert (group.status, group.cycle, first.status, first.cycle) == ("active", 2, "active", 2)
    assert group.deadline_at > timezone.now() + timedelta(seconds=50)
    end(second)
    assert [delivery.cycle for delivery in Delivery.objects.filter(job_kind="group").order_by("cycle")] == [1, 2]


def test_an_active_group_and_one_without_jobs_cannot_be_restarted() -> None:
    member = make_member()
    group = make_group(member)
    with pytest.raises(GroupRefused, match="active"):
        group_changes.restart_group(group, user=boss())
    member.delete()
    group.refresh_from_db()
    with pytest.raises(GroupRefused, match="deleted"):
        group_changes.restart_group(group, user=boss())


def test_a_restart_leaves_deleted_members_out() -> None:
    first, second = make_member(), make_member()
    group = make_group(first, second)
    second.delete()
    end(first)
    group_changes.restart_group(group, user=boss())
    end(first)
    assert [body["total"] for body in sent(group)] == [2, 1]


def test_a_change_of_members_or_rule_holds_at_once() -> None:
    first, second, third = (make_member() for _ in range(3))
    group = make_group(first, second, rule="all")
    end(third)
    wanted = [("scripted", first.pk), ("scripted", third.pk)]
    group_changes.update_group(group, {}, wanted=wanted, user=boss())
    assert sent(group) == []
    group_changes.update_group(group, {"rule": "any"}, wanted=None, user=boss())
    (body,) = sent(group)
    assert [member["id"] for member in body["members"]] == [first.pk, third.pk]


def test_an_earlier_deadline_counts_from_the_beginning_of_the_cycle() -> None:
    group = make_group(make_member(), deadline_seconds=3600)
    group_changes.update_group(group, {"deadline_seconds": 60}, wanted=None, user=boss())
    assert group.deadline_at == group.started_at + timedelta(seconds=60)


def test_a_deleted_group_owes_nothing_and_its_jobs_stay() -> None:
    member, secret = make_member(), make_secret("hook", "the-key-of-the-hook")
    group = make_group(member, webhook_headers={"Authorization": "Bearer secret_ref:hook"})
    assert SecretGrant.objects.get(job_kind="group").secret == secret
    end(member)
    group_changes.delete_group(group)
    assert ScriptedJob.objects.filter(pk=member.pk).exists()
    assert Delivery.objects.get(job_kind="group").status == "failed"
    assert not SecretGrant.objects.exists()


def test_data_beyond_two_megabytes_are_left_out_and_said_to_be() -> None:
    custom = [
        CustomCheckJob.objects.create(name=str(number), script_runtime="python", script_source_type="upload")
        for number in range(3)
    ]
    group = make_group(*custom)
    for job in custom:
        end(job, data={"x": "y" * 1_000_000})
    kept = [member["data"] is not None for member in sent(group)[0]["members"]]
    assert kept == [True, True, False]
    assert sent(group)[0]["members"][2]["data_left_out"] == 1_000_009


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"rule": "most"}, "rule"),
        ({"rule": "count"}, "count"),
        ({"rule": "count", "count": 2}, "count"),
        ({"rule": "all", "count": 1}, "count"),
        ({"name": " "}, "name"),
        ({"deadline_seconds": 5}, "deadline_seconds"),
        ({"deadline_seconds": 10**12}, "deadline_seconds"),
        ({"webhook_url": "http://127.0.0.1/"}, "webhook_url"),
        ({"webhook_url": ""}, "webhook_url"),
        ({"webhook_method": "HEAD"}, "webhook_method"),
        ({"webhook_headers": {"Host": "x"}}, "webhook_headers"),
        ({"webhook_query_params": {"x": "{job_id}"}}, "webhook_query_params"),
        ({"webhook_headers": {"X": "secret_ref:nobody"}}, "webhook_headers.X"),
        ({"webhook_signing_secrets": ["whsec_x"]}, "webhook_signing_secrets"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_name(columns: dict[str, Any], field: str) -> None:
    member = make_member()
    with pytest.raises(ValidationError) as refused:
        make_group(member, **columns)
    assert list(refused.value.message_dict) == [field]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "1 to 100 members"),
        ([("scripted", number) for number in range(101)], "1 to 100 members"),
        ([("scripted", 1), ("scripted", 1)], "twice"),
        ([("gone", 1)], "There is no kind 'gone'; there is custom, openai, scripted."),
        ([("scripted", 4711)], "There is no scripted job 4711"),
        ([("scripted", 10**30)], "There is no scripted job"),
    ],
    ids=["none", "many", "twice", "kind", "unknown", "large"],
)
def test_members_that_cannot_be_are_refused(wanted: list[tuple[str, int]], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        group_changes.create_group({"name": "x", "webhook_url": HOOK}, wanted=wanted, user=boss())
    assert list(refused.value.message_dict) == ["members"]


def test_the_sweep_ends_a_group_whose_deadline_has_passed() -> None:
    member = make_member(next_check_at=None)
    group = make_group(member)
    JobGroup.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
    sweep = Sweeper(
        host="groups", capacity=Capacity(checks=1, memory_mb=100), stopping=lambda: False, duty_seconds=1, kinds=[]
    )
    sweep.run()
    assert [body["cause"] for body in sent(group)] == ["deadline"]


def test_after_a_time_in_which_nothing_ran_members_are_checked_once_more_before_the_deadline_counts() -> None:
    member = make_member()
    group = make_group(member)
    passed = group.deadline_at + timedelta(hours=1)
    assert groups.enforce_deadlines(now=passed, last_look=True) == 0
    end(member, now=passed)
    assert [body["status"] for body in sent(group)] == ["completed"]


def test_a_job_that_was_given_up_has_ended_with_its_cause() -> None:
    member = make_member(max_checks=1)
    group = make_group(member)
    end(member, Verdict.PENDING)
    (body,) = sent(group)
    assert (body["members"][0]["status"], body["members"][0]["cause"]) == ("failed", "max_checks")
    assert (body["status"], body["succeeded"]) == ("completed", 0)


def test_what_is_left_until_a_deadline_stays_when_the_clock_is_set() -> None:
    group = make_group(make_member())
    groups.move_deadlines(by=timedelta(days=30))
    assert groups.enforce_deadlines(now=group.deadline_at + timedelta(days=29)) == 0
    assert groups.enforce_deadlines(now=group.deadline_at + timedelta(days=30)) == 1
