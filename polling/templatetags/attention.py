"""``{% attention %}`` on the admin's first page: what has ended badly, or errs, and waits for somebody."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import template
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model, QuerySet
from django.urls import reverse

from polling.jobs.groups import GroupStatus, JobGroup
from polling.jobs.registry import job_kinds
from polling.jobs.scheduling import JobStatus
from polling.outbox.deliveries import Delivery

register = template.Library()


@dataclass(frozen=True)
class Notice:
    """``url`` leads to the rows that are counted."""

    count: int
    text: str
    url: str


@register.inclusion_tag("polling/attention.html", takes_context=True)
def attention(context: Any) -> dict[str, Any]:
    notices = list(_notices(context["request"].user))
    return {
        "notices": notices,
        "nobody_is_told": notices and not settings.TECKO_ALERT_URL,
        "unprotected": settings.TECKO_UNPROTECTED_NETWORK,
    }


def _notices(user: User | AnonymousUser) -> Iterator[Notice]:
    for rows, query, text in _looked_at():
        model = rows.model
        meta = model._meta
        if not (admin.site.is_registered(model) and user.has_perm(f"{meta.app_label}.view_{meta.model_name}")):
            continue
        if count := rows.count():
            url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
            yield Notice(count, text.format(plural="" if count == 1 else "s"), f"{url}?{query}")


def _looked_at() -> Iterator[tuple[QuerySet[Model], str, str]]:
    yield Delivery.objects.filter(unseen=True), "unseen__exact=1", "call{plural} not delivered, and not tried again"
    for kind in job_kinds():
        words = kind._meta.verbose_name
        given_up = f"{words}{{plural}} given up"
        yield kind.objects.filter(status=JobStatus.FAILED), f"status__exact={JobStatus.FAILED}", given_up
        erring = kind.objects.filter(alerting=True, status=JobStatus.ACTIVE)
        yield erring, "alerting__exact=1&status__exact=active", f"{words}{{plural}} with one error after another"
    failed_groups = JobGroup.objects.filter(status=GroupStatus.FAILED)
    yield failed_groups, f"status__exact={GroupStatus.FAILED}", "job group{plural} ended without what was waited for"
