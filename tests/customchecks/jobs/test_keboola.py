"""A custom check starts a Keboola job when it has ended: at most once, beside its webhook or instead of it."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as product
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from customchecks.archives.script_archive import normalise
from customchecks.jobs import keboola_fields
from customchecks.jobs import service as jobs
from customchecks.jobs.models import CustomCheckJob
from polling.base.results import Verdict
from polling.channels import keboola
from polling.jobs import test_deliveries
from polling.outbox.deliveries import Delivery
from secrets_app.models import SecretGrant
from tests.factories import make_secret, tgz
from tests.polling.jobs.grouped import end
from tests.polling.sending.couriers import wait_until, working
from tests.polling.services import FakeKeboola, Service, serving

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "the-token-of-keboola"
DATA = {"output": "files/out-17", "rows": 0, "nested": {"ok": False}}


@pytest.fixture
def stack(settings: Any) -> Iterator[Service]:
    settings.TECKO_WEBHOOK_ALLOW = ["127.0.0.1"]
    with serving(FakeKeboola([201])) as service:
        yield service


def definition(stack_url: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "gemini",
        "script_source_type": "upload",
        "script_runtime": "python",
        "keboola_stack_url": stack_url,
        "keboola_component_id": "kds.app",
        "keboola_configuration_id": "42",
        "keboola_token": "secret_ref:keboola",
        "keboola_variables": {
            "file": "{data.output}",
            "all": "{job_name}: {status} {data.rows} {data.nested.ok}{data.no}",
        },
        **fields,
    }


def keboola_job(stack_url: str, **fields: Any) -> CustomCheckJob:
    make_secret("keboola", TOKEN, kind="keboola")
    boss = User.objects.create_superuser("boss")
    archive = normalise(io.BytesIO(tgz({"main.py": "print()"})))
    return jobs.create_job(definition(stack_url, **fields), archive=archive, user=boss)


def start() -> Delivery:
    return Delivery.objects.get(channel=keboola.NAME)


def until(status: str, *, seconds: float = 15) -> Delivery:
    with working():
        wait_until(lambda: start().status == status, seconds=seconds)
    return start()


def test_keboola_gets_the_token_and_variables_from_the_answer(stack: Service) -> None:
    job = keboola_job(stack.url)
    end(job, data=DATA)
    delivery = until("delivered")
    (call,) = stack.calls
    assert (call.method, call.path, call.headers["x-storageapi-token"]) == ("POST", "/jobs", TOKEN)
    call.body["variableValuesData"]["values"].sort(key=lambda variable: variable["name"])  # jsonb has its own order
    assert call.body == {
        "mode": "run",
        "component": "kds.app",
        "config": "42",
        "variableValuesData": {
            "values": [
                {"name": "all", "value": "gemini: SUCCESS 0 false"},
                {"name": "file", "value": "files/out-17"},
            ]
        },
    }
    assert '"id": "4711"' in delivery.attempt_rows.get().answer
    assert TOKEN not in repr(Delivery.objects.values().get())
    assert job.status == "completed"


@pytest.mark.parametrize(
    ("on", "verdict", "limits", "started"),
    [
        ("success", Verdict.SUCCESS, {}, True),
        ("success", Verdict.FAILED, {}, False),
        ("success", Verdict.PENDING, {"max_checks": 1}, False),
        ("ended", Verdict.FAILED, {}, True),
        ("ended", Verdict.PENDING, {"max_checks": 1}, True),
        ("ended", Verdict.PENDING, {}, False),
    ],
)
def test_it_is_started_at_the_end_that_was_asked_for(
    stack: Service, on: str, verdict: Verdict, limits: dict[str, int], started: bool
) -> None:
    end(keboola_job(stack.url, keboola_on=on, **limits), verdict)
    assert Delivery.objects.filter(channel=keboola.NAME).exists() is started


def test_it_is_started_beside_the_webhook(stack: Service) -> None:
    with serving(FakeKeboola([200])) as hook:
        end(keboola_job(stack.url, webhook_url=hook.url))
        with working():
            wait_until(lambda: len(stack.calls) == len(hook.calls) == 1, seconds=15)
    assert hook.calls[0].body["check_status"] == "SUCCESS"
    assert "x-storageapi-token" not in hook.calls[0].headers


def test_every_cycle_starts_its_own(stack: Service) -> None:
    job = keboola_job(stack.url)
    end(job)
    job.restart()
    end(job)
    with working():
        wait_until(lambda: Delivery.objects.filter(status="delivered").count() == 2, seconds=15)
    assert len(stack.calls) == 2


def test_keboola_that_is_busy_is_tried_again(stack: Service) -> None:
    stack.answer = FakeKeboola([503, 429, 201])
    end(keboola_job(stack.url))
    assert until("delivered").attempts == 3


def test_what_keboola_refuses_is_shown_and_the_job_keeps_its_verdict(stack: Service) -> None:
    stack.answer = FakeKeboola([403])
    job = keboola_job(stack.url)
    end(job)
    assert until("failed").last_error == "Keboola answered 403."
    job.refresh_from_db()
    assert job.status == "completed"


@pytest.mark.usefixtures("processes")
def test_a_process_that_is_killed_after_keboola_has_answered_starts_no_second_job(stack: Service) -> None:
    end(keboola_job(stack.url))
    assert run_until_killed("delivery_answered") == -signal.SIGKILL
    Delivery.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))  # the 90 seconds of a lost attempt
    assert "not known whether the job has started" in until("unknown").last_error
    assert len(stack.calls) == 1


def test_an_unknown_start_is_repeated_by_somebody_who_has_looked(stack: Service) -> None:
    stack.answer = FakeKeboola([504, 201])
    end(keboola_job(stack.url))
    until("unknown").resend()
    until("delivered")
    assert len(stack.calls) == 2


@pytest.mark.parametrize(("code", "cause"), [(403, "keboola_failed"), (504, "keboola_unknown")])
@pytest.mark.parametrize("field", ["alert_url", "webhook_url", "TECKO_ALERT_URL"])
def test_whoever_is_told_of_errors_is_told_that_nothing_has_started(
    stack: Service, settings: Any, field: str, code: int, cause: str
) -> None:
    stack.answer = FakeKeboola([code])
    with serving(FakeKeboola([200])) as told:
        settings.TECKO_ALERT_URL = told.url
        job = keboola_job(stack.url, **({} if field == "TECKO_ALERT_URL" else {field: told.url}))
        end(job, data=DATA)
        with working():
            wait_until(lambda: any("event" in call.body for call in told.calls), seconds=15)
    (alert,) = [call.body for call in told.calls if "event" in call.body]
    assert (alert["event"], alert["cause"], alert["job_id"]) == ("check.keboola", cause, job.pk)
    assert (alert["check_status"], alert["check_data"]) == ("SUCCESS", DATA)
    assert "Keboola answered" in alert["check_message"]


def run_until_killed(point: str) -> int:
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor != "sqlite":
        login = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
        url = f"postgres://{login}/{database['NAME']}"
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": url, "TECKO_CRASH_AT": point}
    words = [sys.executable, "-m", "tests.polling.sending.couriers"]
    return subprocess.run(words, env=os.environ | env, cwd=product.BASE_DIR, timeout=60, check=False).returncode


def test_a_test_of_the_webhook_never_starts_a_job(stack: Service) -> None:
    job = keboola_job(stack.url, keboola_on="ended")
    with pytest.raises(test_deliveries.SendRefused):
        test_deliveries.send_test(job)
    job.webhook_url = "https://hooks.example.com/"
    assert test_deliveries.send_test(job).url == "https://hooks.example.com/"


def test_a_deleted_job_starts_nothing_more(stack: Service) -> None:
    job = keboola_job(stack.url)
    end(job)
    jobs.delete_job(job)
    assert start().status == "failed"


def test_the_token_is_granted_with_the_job_and_taken_with_it(stack: Service) -> None:
    job = keboola_job(stack.url)
    assert SecretGrant.objects.get(job_kind="custom", job_id=job.pk).secret.name == "keboola"
    nothing = dict.fromkeys((*keboola_fields.NEEDED, "keboola_variables"))
    jobs.update_job(job, nothing, user=User.objects.get())
    assert not SecretGrant.objects.exists()
    end(job)
    assert not Delivery.objects.exists()


def test_who_may_not_use_the_token_cannot_send_it_elsewhere(stack: Service) -> None:
    job = keboola_job(stack.url)
    with pytest.raises(ValidationError) as refused:
        jobs.update_job(job, {"keboola_stack_url": "https://elsewhere.example.com"}, user=User.objects.create_user("x"))
    assert "keboola_token" in refused.value.message_dict


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"keboola_stack_url": ""}, ["keboola_stack_url"]),
        ({"keboola_component_id": None, "keboola_token": None}, ["keboola_component_id", "keboola_token"]),
        ({"keboola_stack_url": "http://connection.example.com"}, ["keboola_stack_url"]),
        ({"keboola_stack_url": "https://connection.example.com/?x"}, ["keboola_stack_url"]),
        ({"keboola_token": "a plain token"}, ["keboola_token"]),
        ({"keboola_token": "secret_ref:nobody"}, ["keboola_token"]),
        ({"keboola_variables": {"x": "{odd}"}}, ["keboola_variables"]),
        ({"keboola_variables": {"x": "{delivery_id}"}}, ["keboola_variables"]),
        ({"keboola_variables": {"x": "secret_ref:keboola"}}, ["keboola_variables"]),
        ({"keboola_variables": {"": "x"}}, ["keboola_variables"]),
        ({"keboola_variables": {"x": 5}}, ["keboola_variables"]),
        ({"keboola_variables": ["x"]}, ["keboola_variables"]),
        ({"keboola_on": "never"}, ["keboola_on"]),
        ({"keboola_component_id": 5}, ["keboola_component_id"]),
        ({"keboola_component_id": "x" * 256}, ["keboola_component_id"]),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(given: dict[str, Any], wrong: list[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        keboola_job(**{"stack_url": "https://connection.example.com"} | given)
    assert sorted(refused.value.message_dict) == wrong
    assert not CustomCheckJob.objects.exists()
