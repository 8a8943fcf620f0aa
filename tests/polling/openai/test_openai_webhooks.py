"""A job that watches OpenAI batches calls a webhook when they have ended: instead of Keboola, or beside it."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from polling.channels import keboola
from polling.jobs import claims
from polling.openai import service as jobs
from polling.openai.declared import KEBOOLA
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery
from polling.sending import attempts
from secrets_app.models import Secret, SecretGrant
from tests.factories import make_secret
from tests.polling.jobs.grouped import make_group, sent
from tests.polling.sending.couriers import client
from tests.polling.services import FakeKeboola, FakeOpenAI, Service, call_keboola, check, serving

pytestmark = pytest.mark.django_db

Make = Callable[..., PollingJob]


@pytest.fixture
def hook(settings: Any) -> Iterator[Service]:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with serving(FakeKeboola([200])) as service:
        yield service


@pytest.fixture
def make(hook: Service, settings: Any) -> Iterator[Make]:
    """A job without Keboola, whose batches OpenAI says to be like this."""
    with serving(FakeOpenAI({})) as openai:
        settings.TECKO_OPENAI_URL = openai.url

        def made(*said: str, **columns: Any) -> PollingJob:
            openai.answer = FakeOpenAI({f"batch_{number}": [word] for number, word in enumerate(said)})
            return jobs.create_job(
                {"name": "nightly", "webhook_url": hook.url, **columns},
                batch_ids=[f"batch_{number}" for number in range(len(said))],
                openai_secret_id=make_secret("openai", "the key of openai", kind="openai").pk,
                user=User.objects.create_superuser("owner"),
            )

        yield made


def send() -> None:
    now = timezone.now() + timedelta(hours=1)  # checks are made when they are due
    ids = Delivery.objects.exclude(channel=keboola.NAME).values_list("pk", flat=True)
    for claimed in Delivery.objects.claim(list(ids), now=now):
        attempts.attempt(claimed, client())


def _name(value: object) -> str:
    """A set's own text differs between processes, and xdist wants all of them to agree on the names of tests."""
    return str(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize(
    ("said", "verdict", "status"),
    [
        (("completed", "completed"), "SUCCESS", "completed"),
        (("completed", "expired"), "FAILED", "completed_with_failures"),
    ],
    ids=_name,
)
def test_the_webhook_is_told_of_every_batch_and_the_job_ends(
    make: Make, hook: Service, said: tuple[str, ...], verdict: str, status: str
) -> None:
    job = check(make(*said))
    assert (job.status, job.next_check_at) == (status, None)
    assert job.completed_at is not None
    send()
    (call,) = hook.calls
    assert (call.method, call.body["check_status"], call.body["job_name"]) == ("POST", verdict, "nightly")
    assert call.body["check_data"] == {"batches": {f"batch_{number}": word for number, word in enumerate(said)}}
    assert call.headers["webhook-id"] == call.body["delivery_id"]


def test_batches_that_ended_in_earlier_checks_are_told_of_too(make: Make, hook: Service, settings: Any) -> None:
    job = make("completed", "in_progress")
    check(job)
    with serving(FakeOpenAI({"batch_1": ["completed"]})) as openai:
        settings.TECKO_OPENAI_URL = openai.url
        check(job)
    send()
    assert hook.calls[0].body["check_data"] == {"batches": {"batch_0": "completed", "batch_1": "completed"}}


def test_headers_query_and_method_are_those_of_the_job(make: Make, hook: Service) -> None:
    make_secret("hook", "the token of the hook")
    made = make(
        "completed",
        webhook_method="PUT",
        webhook_headers={"X-Token": "secret_ref:hook"},
        webhook_query_params={"job": "{job_id}", "how": "{status}"},
    )
    check(made)
    send()
    (call,) = hook.calls
    assert (call.method, call.headers["x-token"]) == ("PUT", "the token of the hook")
    assert call.path.partition("?")[2] == f"job={made.pk}&how=SUCCESS"


def test_beside_keboola_both_are_called(make: Make, hook: Service) -> None:
    with serving(FakeKeboola([201])) as stack:
        token = make_secret("keboola", "the token of keboola", kind="keboola").pk
        keboola_fields = dict(zip(KEBOOLA.columns, (token, stack.url, "kds.app", "42"), strict=True))
        job = check(make("completed", **keboola_fields))
        assert job.status == "active"
        send()
        call_keboola(timezone.now())
        assert (len(stack.calls), len(hook.calls)) == (1, 1)
    job.refresh_from_db()
    assert job.status == "completed"


@pytest.mark.parametrize("own", [True, False])
def test_errors_their_end_and_giving_up_are_told_to_the_jobs_own_addresses(
    make: Make, hook: Service, settings: Any, own: bool
) -> None:
    settings.TECKO_ALERT_URL = "https://alerts.example.com/operator"
    theirs = "https://alerts.example.com/job" if own else None
    job = make("in_progress", alert_url=theirs) if own else make("in_progress")
    PollingJob.objects.update(alert_after_errors=1)
    SecretGrant.objects.all().delete()
    check(job)
    claims.give_up_overdue(PollingJob, now=timezone.now() + timedelta(days=99))
    told = [(each.event, each.url) for each in Delivery.objects.order_by("created_at", "event")]
    assert told[0] == ("check.alert", theirs or hook.url)
    assert ("check.ended", hook.url) in told
    assert (("check.gave_up", theirs) in told) is own
    assert "https://alerts.example.com/operator" not in {url for _, url in told}


def test_a_group_hears_of_a_job_without_keboola(make: Make) -> None:
    job = make("completed")
    group = make_group(job)
    check(job)
    (told,) = sent(group)
    assert (group.status, told["members"][0]["verdict"]) == ("completed", "SUCCESS")


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        ({"webhook_url": None}, {"webhook_url"}),
        ({"webhook_url": "ftp://x"}, {"webhook_url"}),
        ({"alert_url": "https://127.0.0.2/"}, {"alert_url"}),
        ({"keboola_component_id": "kds.app"}, {*KEBOOLA.columns} - {"keboola_component_id"}),
        ({"webhook_headers": {"Host": "x"}}, {"webhook_headers"}),
        ({"webhook_headers": {"X": "secret_ref:nobody"}}, {"webhook_headers.X"}),
        ({"webhook_query_params": {"x": "{odd}"}}, {"webhook_query_params"}),
        ({"webhook_signing_secrets": ["plain"]}, {"webhook_signing_secrets"}),
        ({"webhook_method": "HEAD"}, {"webhook_method"}),
    ],
    ids=_name,
)
def test_what_is_wrong_is_named_and_nothing_is_stored(make: Make, columns: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        make("completed", **columns)
    assert set(refused.value.message_dict) == fields
    assert not PollingJob.objects.exists()


def test_a_job_that_would_tell_nobody_says_what_is_wanted(make: Make) -> None:
    with pytest.raises(ValidationError, match="name a webhook_url, or all of keboola_secret_id, keboola_stack_url"):
        make("completed", webhook_url=None)


def test_who_may_not_use_a_secret_of_the_headers_cannot_send_it_elsewhere(make: Make) -> None:
    secret = make_secret("hook", "the token of the hook")
    job = make("in_progress", webhook_headers={"X": "secret_ref:hook"})
    with pytest.raises(ValidationError) as refused:
        jobs.update_job(job, {"webhook_url": "https://elsewhere.example.com/"}, user=User.objects.create_user("x"))
    assert "webhook_headers.X" in refused.value.message_dict
    assert SecretGrant.objects.filter(secret=secret).exists()


def test_grants_follow_the_headers_and_the_key_of_openai_stays(make: Make) -> None:
    make_secret("hook", "the token of the hook")
    job, owner = make("in_progress", webhook_headers={"X": "secret_ref:hook"}), User.objects.get()
    assert {grant.secret.name for grant in SecretGrant.objects.all()} == {"openai", "hook"}
    jobs.update_job(job, {"webhook_headers": None}, user=owner)
    assert [grant.secret.name for grant in SecretGrant.objects.all()] == ["openai"]


def test_new_keys_sign_what_is_owed_already(make: Make) -> None:
    make_secret("key", "whsec_" + "A" * 44)
    job = check(make("completed"))
    jobs.update_job(job, {"webhook_signing_secrets": ["secret_ref:key"]}, user=User.objects.get())
    assert Delivery.objects.get().signing_secrets == ["secret_ref:key"]


@pytest.mark.parametrize("field", ["openai_secret_id", "keboola_secret_id"])
def test_the_type_of_a_wrong_secret_is_named(make: Make, field: str) -> None:
    other = make_secret("something", "long enough")
    given = dict(zip(KEBOOLA.columns, (other.pk, "https://connection.example.com", "kds.app", "42"), strict=True))
    right = make_secret("right", "long enough", kind="openai").pk
    openai = other.pk if field == "openai_secret_id" else right
    data = {"name": "n", "webhook_url": "https://h.example.com"} | (given if field == "keboola_secret_id" else {})
    with pytest.raises(jobs.SecretUnknown) as refused:
        jobs.create_job(data, batch_ids=["batch_1"], openai_secret_id=openai, user=User.objects.create_superuser("o"))
    wanted = field.removesuffix("_secret_id")
    told = f"{field}: the secret 'something' ({other.pk}) is of type generic; one of type {wanted} is wanted."
    assert str(refused.value) == told
    assert Secret.objects.count() == 2


def test_an_alert_of_a_failed_keboola_start_goes_to_the_webhook_of_the_job(make: Make, hook: Service) -> None:
    with serving(FakeKeboola([403])) as stack:
        token = make_secret("keboola", "the token of keboola", kind="keboola").pk
        check(make("completed", **dict(zip(KEBOOLA.columns, (token, stack.url, "kds.app", "42"), strict=True))))
        call_keboola(timezone.now())
    told = json.loads(Delivery.objects.get(event="check.gave_up").body)
    assert (told["cause"], told["check_data"]) == ("keboola_failed", {"batches": {"batch_0": "completed"}})
    assert Delivery.objects.get(event="check.gave_up").url == hook.url
