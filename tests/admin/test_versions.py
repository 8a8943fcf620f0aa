"""Versions on the page of a job: shown, and written by nobody."""

from collections.abc import Callable
from dataclasses import replace

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customchecks.jobs import service, versions
from customchecks.jobs.models import CustomCheckJob, DependencySet
from polling.base.results import CheckResult, Verdict
from polling.jobs.claims import claim_due, record
from tests.factories import script_of

MakeJob = Callable[..., CustomCheckJob]


def page_of(browser: Client, job: CustomCheckJob) -> str:
    return browser.get(reverse("admin:customchecks_customcheckjob_change", args=[job.pk])).content.decode()


def test_a_jobs_page_lists_its_versions_and_who_stored_them(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    version = versions.add(job, script_of({"main.py": "new"}), user=User.objects.get(), notes=("Without its links.",))
    page = page_of(browser, job)
    assert f"{version.archive_id}  boss Without its links." in page
    assert job.versions.get(number=1).archive_id in page


def test_a_jobs_page_shows_which_version_it_stays_with(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    versions.add(job, script_of({"main.py": "new"}))
    assert "(pinned)" not in page_of(browser, job)
    service.pin_version(job, 1, user=User.objects.get())
    assert "1 (pinned)" in page_of(browser, job)


def test_a_jobs_page_shows_the_state_of_its_dependencies(browser: Client, make_job: MakeJob) -> None:
    job = make_job()
    ready = DependencySet.objects.create(key="k", engine="e", runtime="python", state="ready", size=3 * 1024**2)
    job.record_dependencies("k")
    assert "ready, 3.0 MB" in page_of(browser, job)
    DependencySet.objects.filter(pk=ready.pk).update(state="failed", error="No wheel for <six>.")
    assert "No wheel for &lt;six&gt;." in page_of(browser, job)


def test_a_checks_page_shows_what_was_installed_for_it(browser: Client, make_job: MakeJob) -> None:
    job, now = make_job(), timezone.now()
    ((_, claim),) = claim_due(CustomCheckJob, host="test", now=now, fits=lambda _: True)
    result = CheckResult(verdict=Verdict.PENDING)
    record(claim, replace(result, install_log="Installed <six>"), now=now)
    log = reverse("admin:customchecks_customchecklog_change", args=[job.logs.get().pk])
    assert "Installed &lt;six&gt;" in browser.get(log).content.decode()
