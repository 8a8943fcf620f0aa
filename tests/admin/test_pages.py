"""Every page of the admin opens, shows no text as markup, and what is history cannot be written."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.outbox.deliveries import Delivery
from polling.sweep.models import SweepLease
from tests.admin.conftest import HOSTILE, make_delivery, make_log

MakeJob = Callable[..., CustomCheckJob]
HISTORY = [CustomCheckLog, Delivery, SweepLease, Failure, OrmQ, Schedule, Success]
OURS = [model for model in admin.site._registry if model._meta.app_label not in ("auth", "knox")]


def make(model: type[Model], job: CustomCheckJob) -> Model:
    """One row, hostile where it has text."""
    now = timezone.now()
    if model is CustomCheckLog:
        return make_log(job, HOSTILE)
    if model is Delivery:
        return make_delivery(job, HOSTILE)
    if model is SweepLease:
        return SweepLease.objects.create(host=HOSTILE, heartbeat_at=now)
    if model is Schedule:
        return Schedule.objects.create(name=HOSTILE[:100], func="polling.tasks.sweep", args="()")
    if model is OrmQ:
        return OrmQ.objects.create(key="teckochecker", payload="not signed", lock=now)
    ended = {"started": now - timedelta(seconds=1), "stopped": now, "func": "polling.tasks.sweep"}
    return model._default_manager.create(
        id=model.__name__, name=HOSTILE[:100], result=HOSTILE, success=model is Success, **ended
    )


def url(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_opens(model: type[Model], browser: Client, make_job: MakeJob) -> None:
    if model in HISTORY:
        make(model, make_job())
    assert browser.get(url(model, "changelist")).status_code == 200
    assert browser.get(url(model, "changelist"), {"q": "1"}).status_code == 200


@pytest.mark.parametrize("model", [CustomCheckJob, *HISTORY], ids=lambda model: model.__name__)
def test_every_page_of_a_row_shows_its_text_escaped(model: type[Model], browser: Client, make_job: MakeJob) -> None:
    job = make_job(name=HOSTILE, state={HOSTILE: 1}, last_check_data={HOSTILE: 1}, last_check_status=HOSTILE[:50])
    row = job if model is CustomCheckJob else make(model, job)
    for page in (url(model, "changelist"), url(model, "change", row.pk), url(model, "history", row.pk)):
        answer = browser.get(page)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.content.decode()
        assert "<img src=x" not in answer.content.decode()


def test_a_log_shows_its_verdict_and_its_output(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    shown = browser.get(url(CustomCheckLog, "change", make_log(job, "a\n  b").pk)).content.decode()
    assert '<pre class="script-output">a\n  b</pre>' in shown
    assert "ERROR" in shown
    assert "timeout" in shown
    assert url(CustomCheckJob, "change", job.pk) in shown


def test_a_delivery_shows_its_error_and_leads_to_its_job(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    shown = browser.get(url(Delivery, "change", make_delivery(job, "connection refused").pk)).content.decode()
    assert "connection refused" in shown
    assert f'<a href="{url(CustomCheckJob, "change", job.pk)}">nightly</a>' in shown


def test_a_job_leads_to_its_logs_and_deliveries(browser: Client, make_job: MakeJob) -> None:
    job, other = make_job(), make_job("other")
    make_log(job, "mine")
    make_log(other, "foreign")
    make_delivery(job)
    shown = browser.get(url(CustomCheckJob, "change", job.pk)).content.decode()
    logs = f"{url(CustomCheckLog, 'changelist')}?job__id__exact={job.pk}"
    assert f'<a href="{logs}">1 checks</a>' in shown
    assert "1 deliveries" in shown
    listed = browser.get(logs).content.decode()
    assert "mine" in listed
    assert "foreign" not in listed


@pytest.mark.parametrize("model", HISTORY, ids=lambda model: model.__name__)
def test_history_can_be_written_by_nobody(model: type[Model], browser: Client, make_job: MakeJob) -> None:
    row = make(model, make_job())
    before = model._default_manager.filter(pk=row.pk).values().get()
    posts = [url(model, "add"), url(model, "change", row.pk), url(model, "delete", row.pk)]
    assert {browser.post(post, {"func": "os.system", "post": "yes"}).status_code for post in posts} == {403}
    chosen = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    browser.post(url(model, "changelist"), chosen)
    assert model._default_manager.filter(pk=row.pk).values().get() == before


@pytest.mark.parametrize("action", ["resubmit_task", "delete_selected"])
def test_no_task_is_sent_to_the_queue_again(action: str, browser: Client, make_job: MakeJob) -> None:
    row = make(Failure, make_job())
    browser.post(url(Failure, "changelist"), {"action": action, "_selected_action": row.pk})
    assert not OrmQ.objects.exists()
    assert Failure.objects.filter(pk=row.pk).exists()


def test_the_lists_ask_a_constant_number_of_questions(
    browser: Client, make_job: MakeJob, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    for number in range(20):
        job = make_job(f"job {number}")
        make_log(job)
        make_delivery(job)
    for model in (CustomCheckJob, CustomCheckLog, Delivery):
        with django_assert_max_num_queries(12):
            browser.get(url(model, "changelist"))


def test_jobs_are_found_by_their_tags(browser: Client, make_job: MakeJob) -> None:
    make_job("tagged", tags=["exports"])
    make_job("other", tags=["imports"])
    found = browser.get(url(CustomCheckJob, "changelist"), {"q": "exports"}).content.decode()
    assert (">tagged<" in found, ">other<" in found) == (True, False)


def test_every_filter_has_words_to_click_on(browser: Client, make_job: MakeJob) -> None:
    make_log(make_job())
    CustomCheckLog.objects.update(cause="")
    make_log(make_job())
    page = browser.get(url(CustomCheckLog, "changelist")).content.decode()
    assert re.findall(r'<a href="[^"]*">\s*</a>', page) == []
    assert "(none)" in page


def test_there_is_an_icon_for_pages_that_name_none(browser: Client) -> None:
    answer = browser.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/teckochecker/favicon.png")
    assert finders.find("teckochecker/favicon.png")
    assert 'rel="icon"' in browser.get("/admin/").content.decode()
