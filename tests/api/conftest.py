"""Clients of the API, and the smallest job that it accepts."""

import io
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient

from customchecks.archives.script_archive import normalise
from customchecks.jobs import service
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog
from polling.jobs import group_changes
from polling.openai.batches import Batch
from polling.openai.models import PollingJob
from polling.outbox.deliveries import Delivery, DeliveryDraft
from secrets_app.access.models import ApiToken, Scope
from secrets_app.models import Secret
from tests.api import live
from tests.factories import tgz
from tests.polling.sweep.leases import on_duty

JOBS = "/api/custom-checks"
SCRIPT = {"main.py": 'print(\'{"status": "PENDING"}\')\n'}
PASSWORD = "correct horse battery"


def config(**fields: Any) -> dict[str, Any]:
    return {"name": "nightly", "script_source_type": "upload", "script_runtime": "python", "check_params": {}} | fields


def upload(content: bytes | None = None, *, name: str = "script.tgz") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, tgz(SCRIPT) if content is None else content)


def form(content: bytes | None = None, /, **fields: Any) -> dict[str, Any]:
    """The parts of a creating request."""
    return {"config": json.dumps(config(**fields)), "script": upload(content)}


def submit(client: APIClient, parts: dict[str, Any]) -> Response:
    return client.post(JOBS, parts, format="multipart")


@pytest.fixture(autouse=True)
def no_failed_logins() -> None:
    caches["logins"].clear()
    shutil.rmtree(settings.THROTTLE_FOLDER, ignore_errors=True)


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss", password=PASSWORD)


@pytest.fixture
def client(boss: User) -> APIClient:
    """A superuser's; whatever the server does not expect is an answer here too."""
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(boss)
    return client


@pytest.fixture
def login(db: None) -> Callable[..., APIClient]:
    """A client of a user with these permissions only."""

    def make(*permissions: str, name: str = "somebody") -> APIClient:
        user = User.objects.create_user(name, password=PASSWORD)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = APIClient(raise_request_exception=False)
        client.force_authenticate(User.objects.get(pk=user.pk))
        return client

    return make


@pytest.fixture(scope="module")
def web_server(processes: None, django_db_setup: None) -> Iterator[tuple[int, tuple[int, ...]]]:
    with live.web_server() as server:
        yield server


@pytest.fixture
def server(web_server: tuple[int, tuple[int, ...]], transactional_db: None) -> live.Server:
    _, token = ApiToken.objects.create(User.objects.create_superuser("boss"), scope=Scope.ADMIN)
    on_duty()
    port, pids = web_server
    return live.Server(port, token, pids)


@pytest.fixture
def create_job(boss: User) -> Callable[..., CustomCheckJob]:
    def make(*, scripted: bool = True, **fields: Any) -> CustomCheckJob:
        archive = normalise(io.BytesIO(tgz(SCRIPT))) if scripted else None
        return service.create_job(config(**fields), archive=archive, user=boss)

    return make


@pytest.fixture
def things(create_job: Callable[..., CustomCheckJob], make_secret: Callable[..., Secret]) -> dict[str, dict[str, Any]]:
    """What a path may be about: the arguments of its URL."""
    job = create_job(name="nightly")
    polling_job = PollingJob.objects.create(
        name="batches",
        keboola_stack_url="https://connection.example.com",
        keboola_component_id="c",
        keboola_configuration_id="1",
    )
    Batch.objects.create(job=polling_job, batch_id="batch_1")
    draft = DeliveryDraft(
        channel="webhook", event="check.ended", url="https://hooks.example.com/", method="POST", payload={}
    )
    delivery = Delivery.objects.open(draft, job=job, now=job.created_at)
    another = User.objects.create_superuser("another")
    token, _ = ApiToken.objects.create(another)
    group = group_changes.create_group(
        {"name": "g", "webhook_url": "https://hooks.example.com/"}, wanted=[("custom", job.pk)], user=another
    )
    return {
        "": {},
        "job": {"pk": job.pk},
        "name": {"name": job.name},
        "check": {"pk": job.pk, "check_id": job.trigger()},
        "group": {"pk": group.pk},
        "polling job": {"pk": polling_job.pk},
        "delivery": {"pk": delivery.pk},
        "secret": {"pk": make_secret("gemini").pk},
        "token": {"pk": token.pk},
    }


def make_log(job: CustomCheckJob, **columns: Any) -> CustomCheckLog:
    given = {"cycle": 1, "status": "pending", "started_at": timezone.now()} | columns
    return CustomCheckLog.objects.create(job=job, check_id=uuid.uuid4(), **given)
