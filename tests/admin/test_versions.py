"""Versions on the page of a job: shown, and written by nobody."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from customchecks.models import CustomCheckJob


def test_a_jobs_page_lists_its_versions(browser: Client, make_job: Callable[..., CustomCheckJob]) -> None:
    job = make_job()
    page = browser.get(reverse("admin:customchecks_customcheckjob_change", args=[job.pk])).content.decode()
    assert str(job.script_archive_id) in page
