"""A manifest is read while nobody who wants to write has to wait for it."""

import io
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import RequestFactory

from customchecks.archives import script_archive
from customchecks.archives.script_archive import Archive
from customchecks.jobs import by_name, export, service
from customchecks.jobs.models import CustomCheckJob
from tests.admin.test_jobs import form
from tests.factories import tgz

pytestmark = pytest.mark.django_db(transaction=True)

FEW = {"name": "job", "script_source_type": "upload", "script_runtime": "python"}


@dataclass(frozen=True, kw_only=True)
class Watched(Archive):
    """Notes whether a transaction was open when a file of it was read."""

    reads: list[bool] = field(default_factory=list, compare=False)

    def read(self, path: str) -> bytes:
        self.reads.append(connection.in_atomic_block)
        return super().read(path)


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser(secrets.token_hex(4))


@pytest.fixture(params=["six\n", "-e git+https://x.org/y\n"], ids=["taken", "refused"])
def archive(request: Any) -> Watched:
    found = script_archive.normalise(io.BytesIO(tgz({"main.py": "", "requirements.txt": request.param})))
    return Watched(content=found.content, sha256=found.sha256, size=found.size, files=found.files)


def stored(user: User) -> CustomCheckJob:
    return service.create_job(FEW, archive=None, user=user)


def test_a_job_is_created(archive: Watched, user: User) -> None:
    tried(lambda: service.create_job(FEW, archive=archive, user=user), archive)


def test_a_script_is_uploaded(archive: Watched, user: User) -> None:
    tried(lambda: service.store_script(stored(user), archive, user=user), archive)


def test_a_job_is_changed_and_gets_a_script(archive: Watched, user: User) -> None:
    changes = {"allow_source_builds": True}
    tried(lambda: service.update_job(stored(user), changes, archive=archive, user=user), archive)


def test_a_job_is_put_by_its_name(archive: Watched, user: User) -> None:
    data = {name: value for name, value in FEW.items() if name != "name"}
    tried(lambda: by_name.put("job", data, archive=archive, user=user), archive)


def test_jobs_are_imported(archive: Watched, user: User) -> None:
    tried(lambda: export.imported({"jobs": [FEW]}, user=user, scripts={"job": archive}), archive)


class WatchedUpload(SimpleUploadedFile):
    def __init__(self, content: bytes) -> None:
        super().__init__("script.tgz", content)
        self.reads: list[bool] = []

    def read(self, size: int = -1) -> bytes:
        self.reads.append(connection.in_atomic_block)
        return super().read(size)


@pytest.mark.parametrize("requirement", ["six\n", "-e git+https://x.org/y\n"], ids=["taken", "refused"])
def test_a_job_is_made_in_the_admin(requirement: str, user: User) -> None:
    upload = WatchedUpload(tgz({"main.py": "", "requirements.txt": requirement}))
    request = RequestFactory().post("/", form())
    request.FILES["script"] = upload
    request.user, request.session = user, {}
    request._dont_enforce_csrf_checks = True
    request._messages = CookieStorage(request)
    answer = admin.site.get_model_admin(CustomCheckJob).changeform_view(request)
    assert upload.reads
    assert not any(upload.reads)
    if answer.status_code == 200:
        assert "version control" in answer.rendered_content
    assert CustomCheckJob.objects.count() == (requirement == "six\n")


def tried(act: Any, archive: Watched) -> None:
    try:
        act()
    except ValidationError as refused:
        assert any("script" in name for name in refused.message_dict)
    else:
        assert CustomCheckJob.objects.get().script_archive_id == archive.sha256
    assert archive.reads
    assert not any(archive.reads)
