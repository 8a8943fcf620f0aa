"""Polling jobs in the admin: looked at, moved and deleted, never edited."""

import pytest
from django.test import Client

from polling.openai.models import PollingJob
from secrets_app.models import SecretGrant
from tests.polling.services import make_polling_job

pytestmark = pytest.mark.django_db
LIST = "/admin/polling/pollingjob/"


@pytest.fixture
def job() -> PollingJob:
    return make_polling_job("batch_1", "batch_2")


def test_a_job_is_shown_with_its_batches_and_logs(browser: Client, job: PollingJob) -> None:
    job.log("pending", "<b>not yet</b>", now=job.created_at)
    assert "nightly" in browser.get(LIST, {"q": "batch_2"}).content.decode()
    page = browser.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "batch_1: in_progress" in page
    assert "&lt;b&gt;not yet&lt;/b&gt;" in page


def test_a_job_is_paused_and_cannot_be_edited(browser: Client, job: PollingJob) -> None:
    browser.post(LIST, {"action": "pause", "_selected_action": [job.pk]})
    assert PollingJob.objects.get().status == "paused"
    assert browser.post(f"{LIST}{job.pk}/change/", {"name": "x"}).status_code == 403


def test_a_job_is_deleted_with_its_grants(browser: Client, job: PollingJob) -> None:
    browser.post(f"{LIST}{job.pk}/delete/", {"post": "yes"})
    assert (PollingJob.objects.count(), SecretGrant.objects.count()) == (0, 0)
